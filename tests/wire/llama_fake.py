#!/usr/bin/env python3
"""Stands for `llama-server` on PATH: a real HTTP server that loads nothing. It writes what it was given beside itself."""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

HERE = Path(sys.argv[0]).parent
GIVEN = dict(zip(sys.argv[1:], [*sys.argv[2:], ""], strict=False))
KEY = os.environ["LLAMA_API_KEY"]


class Handler(BaseHTTPRequestHandler):
    health = 0

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        Handler.health += 1
        self.answer(503 if Handler.health < 3 else 200, {"status": "loading model" if Handler.health < 3 else "ok"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if (HERE / "die").exists():
            print("out of memory", flush=True)
            os._exit(137)
        if self.headers["Authorization"] != f"Bearer {KEY}":
            self.answer(401, {"error": {"message": "Invalid API Key"}})
            return
        (HERE / "request.json").write_text(json.dumps(body))
        self.answer(200, {"model": body["model"], "choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]})

    def answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


(HERE / "started.json").write_text(json.dumps({"argv": sys.argv[1:], "environ": dict(os.environ), "pid": os.getpid()}))
if (HERE / "fail").exists():
    print(f"error: failed to load model, key {KEY}", flush=True)
    sys.exit(3)
if __name__ == "__main__":
    HTTPServer((GIVEN["--host"], int(GIVEN["--port"])), Handler).serve_forever()
