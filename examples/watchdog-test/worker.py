"""Works, and says so twice in each period; hangs once, or stalls for a while."""
import os
import pathlib
import socket
import time


def notify(message):
    address = os.environ["NOTIFY_SOCKET"]
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(address)
        client.sendall(message.encode())


pause = int(os.environ["WATCHDOG_USEC"]) / 1_000_000 / 2
stall = float(os.environ.get("STALL", "0"))
hung = pathlib.Path("hung")

notify("READY=1\nSTATUS=working")
for count in range(1, 1_000_000):
    time.sleep(pause)
    notify("WATCHDOG=1")
    if count == 3 and stall > 0:
        print("stalling", flush=True)
        time.sleep(stall)
    elif count == 3 and not hung.exists():
        hung.touch()
        print("hanging", flush=True)
        time.sleep(1_000_000)
