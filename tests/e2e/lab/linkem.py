#!/usr/bin/env python3
"""Delay, loss and rate between two tap devices, for kernels without sch_netem. Runs until killed."""
import argparse
import collections
import fcntl
import os
import random
import select
import struct
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
BURST = 64        # frames taken from one side before the other side's turn


def open_tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def bits_per_second(text):
    for suffix, factor in (("gbit", 1e9), ("mbit", 1e6), ("kbit", 1e3)):
        if text.lower().endswith(suffix):
            return float(text[:-4]) * factor
    return float(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--a", required=True)
    parser.add_argument("--b", required=True)
    parser.add_argument("--delay-ms", type=float, default=0, help="one way")
    parser.add_argument("--loss-pct", type=float, default=0)
    parser.add_argument("--rate", type=bits_per_second, default=0)
    parser.add_argument("--queue-ms", type=float, default=100, help="drop-tail buffer")
    return parser.parse_args()


class Direction:
    """Frames under way from one tap to the other."""

    def __init__(self, source, target, options):
        self.source, self.target, self.options = source, target, options
        self.queue = collections.deque()
        self.idle_at = 0.0          # when the link's transmitter is next idle

    def take(self, now):
        options = self.options
        for _ in range(BURST):
            try:
                frame = os.read(self.source, 65536)
            except OSError:         # nothing more, or the link is down
                return
            if options.loss_pct and random.random() * 100 < options.loss_pct:
                continue
            start = max(now, self.idle_at)
            if options.rate:
                if start - now > options.queue_ms / 1000:
                    continue
                start += len(frame) * 8 / options.rate
                self.idle_at = start
            self.queue.append((start + options.delay_ms / 1000, frame))

    def give(self, now):
        while self.queue and self.queue[0][0] <= now:
            try:
                os.write(self.target, self.queue.popleft()[1])
            except OSError:
                pass                # the other side is down: lost, as on a wire


def main():
    options = arguments()
    a, b = open_tap(options.a), open_tap(options.b)
    directions = [Direction(a, b, options), Direction(b, a, options)]
    while True:
        heads = [d.queue[0][0] for d in directions if d.queue]
        wait = max(0.0, min(heads) - time.monotonic()) if heads else None
        ready = select.select([a, b], [], [], wait)[0]
        for direction in directions:
            if direction.source in ready:
                direction.take(time.monotonic())
        for direction in directions:
            direction.give(time.monotonic())


if __name__ == "__main__":
    main()
