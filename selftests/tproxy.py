#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""tproxy.py PORT [spoof]: a transparent proxy for TCP: what it is given, it connects on to where it was meant
for; with "spoof" from the client's address, which is another's."""
import socket
import sys
import threading

PORT, SPOOF = int(sys.argv[1]), sys.argv[2:] == ["spoof"]


def transparent():
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        sink.close()


def proxy(near, client):
    far = transparent()
    if SPOOF:
        far.bind((client[0], 0))
    try:
        far.connect(near.getsockname())
    except OSError:
        near.close()
        return
    threading.Thread(target=pump, args=(near, far), daemon=True).start()
    pump(far, near)


listener = transparent()
listener.bind(("127.0.0.1", PORT))
listener.listen(64)
while True:
    threading.Thread(target=proxy, args=listener.accept(), daemon=True).start()
