"""Says that it is ready, over a socket of its own."""
import os
import signal
import socket
import sys
import time


def notify(message):
    address = os.environ["NOTIFY_SOCKET"]
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(address)
        client.sendall(message.encode())


def stop(*_):
    notify("STOPPING=1\nSTATUS=closing")
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
for percent in 0, 50, 100:
    notify(f"STATUS=loading {percent} %")
    time.sleep(0.1)
notify(f"READY=1\nSTATUS=loaded\nMAINPID={os.getpid()}")
while True:
    signal.pause()
