# Ends its child by itself, and reports how that went.
sleep 1000 &
child=$!
trap 'echo "got SIGQUIT, ending the child"; kill "$child"; wait "$child"; echo "child ended with $?"; exit 0' QUIT
echo ready
wait "$child"
