# Warms up, says when it is done, and runs until it is stopped.
systemd-notify --status="warming up"
sleep 0.5
systemd-notify --ready --status="warm"
trap 'systemd-notify STOPPING=1; exit 0' TERM
while :; do sleep 1 & wait $!; done
