#!/bin/sh
# A shell script with its own idea of being ready.
echo warming up
sleep 0.3
systemd-notify --ready --status="3 jobs waiting" || exit 1
echo ready
exec sleep 100000
