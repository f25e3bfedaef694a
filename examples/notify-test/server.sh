systemd-notify --status="warming up"
sleep 0.2
systemd-notify --ready --status="at your service"
trap 'systemd-notify STOPPING=1; exit 0' TERM
while :; do sleep 1 & wait $!; done
