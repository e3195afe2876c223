#!/usr/bin/env python3
"""Talks to a running server in JSON and prints what both sides say, for docs/protocol.md; with the
word "summaries" for docs/summaries.md.

Usage: scripts/transcript.py [ws://127.0.0.1:8080/ws] [summaries]

It edits one product's price and puts the old price back. Needs Python 3 and nothing else.
"""

import base64
import json
import os
import socket
import struct
import sys
from urllib.parse import urlsplit


DEFAULT_URL = "ws://127.0.0.1:8080/ws"


class Socket:
    """A WebSocket client: enough of RFC 6455 for text frames to a local server."""

    def __init__(self, url, name):
        parts = urlsplit(url)
        self.name = name
        self.stream = socket.create_connection((parts.hostname, parts.port or 80), timeout=10)
        self.buffer = b""
        self.waiting = []  # arrived while another kind was waited for
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {parts.path or '/ws'} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: rowcast.v2.json",
        ]
        self.stream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status = head.split(b"\r\n", 1)[0].decode()
        if " 101 " not in status + " ":
            sys.exit(f"the server refused the socket: {status}")

    def _fill(self):
        data = self.stream.recv(65536)
        if not data:
            sys.exit("the server closed the socket")
        self.buffer += data

    def _take(self, count):
        while len(self.buffer) < count:
            self._fill()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _frame(self, opcode, payload):
        mask = os.urandom(4)
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        else:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self.stream.sendall(head + mask + masked)

    def send(self, text):
        """Sends a message: an object, or text as it is."""
        if not isinstance(text, str):
            text = json.dumps(text, separators=(",", ":"), ensure_ascii=False)
        print(f"{self.name} > {text}")
        self._frame(1, text.encode())

    def receive(self, kind):
        """Returns the first message of this kind; prints whatever arrives until then."""
        for index, message in enumerate(self.waiting):
            if kind in message:
                return self.waiting.pop(index)[kind]
        while True:
            opcode, payload = self._receive_frame()
            if opcode == 9:
                self._frame(10, payload)
            elif opcode == 8:
                (code,) = struct.unpack("!H", payload[:2])
                sys.exit(f"{self.name} < (close {code} {payload[2:].decode()})")
            elif opcode == 1:
                text = payload.decode()
                print(f"{self.name} < {text}")
                message = json.loads(text)
                if kind in message:
                    return message[kind]
                self.waiting.append(message)

    def _receive_frame(self):
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        return first & 0x0F, self._take(length)


class Window:
    """The rows of one window, kept up to date as docs/protocol.md says."""

    def __init__(self, client, number, view, columns, count, **more):
        self.client, self.number = client, number
        self.rows, self.version, self.generation = more.pop("rows", []), None, 0
        request = {"window": number, "view": view, "columns": columns, "count": count, **more}
        if "resume" in request:
            self.version = request["resume"]["version"]
        client.send({"open": request})
        client.receive("opened")
        self.receive()

    def receive(self):
        """Waits for the next update, applies and acknowledges it."""
        update = self.client.receive("update")
        before = self.rows if update["from"] is not None else []
        assert update["from"] in (None, self.version), "the chain of updates is broken"
        self.rows = []
        for operation in update["rows"]:
            if "keep" in operation:
                keep = operation["keep"]
                self.rows += before[keep["from"] : keep["from"] + keep["count"]]
            elif "patch" in operation:
                patch = operation["patch"]
                row = {**before[patch["from"]], "cells": list(before[patch["from"]]["cells"])}
                for column, value in patch["cells"]:
                    row["cells"][column] = value
                self.rows.append(row)
            else:
                self.rows.append(operation["row"])
        self.version, self.generation = update["to"], update["generation"]
        self.client.send({"ack": {"window": self.number, "number": update["number"]}})
        return update

    def edit(self, number, row, column, expected, value):
        """Sends an edit of one cell."""
        key = row["key"]
        cell = {"window": self.number, "key": key, "column": column}
        self.client.send({"edit": {"id": number, **cell, "expected": expected, "value": value}})


def heading(text):
    print(f"\n# {text}")


def summaries(url):
    """Prints the transcript of docs/summaries.md."""
    heading("Ann asks for the three largest categories, and what is in stock there.")
    ann = Socket(url, "ann")
    ann.receive("hello")
    largest = {
        "summary": 1,
        "view": {"table": "products"},
        "by": [{"column": "category"}],
        "aggregates": [{"op": "sum", "column": "stock_quantity"}, {"op": "max", "column": "price"}],
        "order": [{"by": {"value": 0}, "descending": True}],
        "count": 3,
    }
    ann.send({"summarize": largest})
    ann.receive("summarized")
    first = ann.receive("summary")["shown"][0]["row"]["key"]
    ann.send({"ack_summary": {"summary": 1, "number": 1}})

    heading("She expands the first one: a window whose filter is the group's key.")
    test = {"column": "category", "op": "=", "values": first}
    view = {
        "table": "products",
        "filter": {"test": test},
        "sort": [{"column": "price", "descending": True}],
    }
    dearest = Window(ann, 1, view, ["id", "price"], 1)
    row = dearest.rows[0]
    seen = row["cells"][1]

    heading("She makes its dearest product cheaper: the group's greatest price is another one.")
    dearest.edit(1, row, "price", seen, "1.00")
    ann.receive("summary")
    ann.send({"ack_summary": {"summary": 1, "number": 2}})
    dearest.edit(2, row, "price", "1.00", seen)
    ann.receive("summary")
    ann.send({"ack_summary": {"summary": 1, "number": 3}})

    heading("A histogram of prices, in about five buckets.")
    prices = {"column": "price", "buckets": {"count": 5}}
    ann.send({"summarize": {"summary": 2, "view": {"table": "products"}, "by": [prices], "count": 10}})
    ann.receive("summarized")
    ann.receive("summary")

    heading("A sum of names makes no sense.")
    names = [{"op": "sum", "column": "name"}]
    ann.send(
        {"summarize": {"summary": 3, "view": {"table": "products"}, "aggregates": names, "count": 1}}
    )
    ann.receive("summary_refused")


def main():
    if "summaries" in sys.argv:
        return summaries(next((a for a in sys.argv[1:] if a != "summaries"), DEFAULT_URL))
    url = sys.argv[1] if len(sys.argv) > 1 else DEFAULT_URL
    dearest = {
        "table": "products",
        "filter": {"test": {"column": "category", "op": "=", "values": ["Electronics"]}},
        "sort": [{"column": "price", "descending": True}],
    }
    columns = ["id", "name", "price"]

    heading("Ann opens a window: the three dearest products in Electronics.")
    ann = Socket(url, "ann")
    ann.receive("hello")
    ann.send({"list_tables": {"id": 1}})
    ann.receive("tables")
    hers = Window(ann, 1, dearest, columns, 3)
    second = hers.rows[1]
    seen = second["cells"][2]

    heading("Bob changes the price of the second one. Ann sees it.")
    bob = Socket(url, "bob")
    bob.receive("hello")
    one = {
        "table": "products",
        "filter": {"test": {"column": "id", "op": "=", "values": second["key"]}},
    }
    his = Window(bob, 7, one, ["price"], 1)
    dearer = f"{float(seen) + 0.01:.2f}"
    his.edit(1, second, "price", seen, dearer)
    bob.receive("edit_result")
    his.receive()
    hers.receive()

    heading("Ann edits the price that she saw before: a conflict. She puts it back on purpose.")
    hers.edit(1, second, "price", seen, "1.00")
    ann.receive("edit_result")
    hers.edit(2, second, "price", dearer, seen)
    ann.receive("edit_result")
    hers.receive()

    heading("She scrolls on by two rows. The row that she has already is kept.")
    position = {"start": 2, "count": 3, "received": 3}
    ann.send({"move": {"window": 1, "generation": 1, **position}})
    while hers.generation < 1:
        hers.receive()

    heading("Mistakes are answered, and the socket lives on.")
    ann.send({"open": {"window": 2, "view": {"table": "produkts"}, "count": 3}})
    ann.receive("error")
    ann.send({"open": {"window": 2, "view": {"table": "products"}, "limit": 3}})
    ann.receive("error")
    ann.send("hello?")
    ann.receive("error")
    ann.send({"ping": {"id": 3}})
    ann.receive("pong")

    heading("Ann loses her connection and resumes at the version that she has.")
    ann = Socket(url, "ann")
    ann.receive("hello")
    resume = {"version": hers.version, "keys": [row["key"] for row in hers.rows]}
    Window(ann, 1, dearest, columns, 3, start=2, resume=resume, rows=hers.rows)


if __name__ == "__main__":
    main()
