#!/usr/bin/env python3
"""Writes a capture of a day of a small office, with an upload in the night that nobody expected.

    screenshots/night.py > night.pcap
    flowglass replay --no-ui night.pcap --db night.db && flowglass --view --db night.db
"""

import math
import struct
import sys

import download

HOSTS = ["nas", "desk", "phone", "tv", "camera", "printer"]


def record(now, src, dst, port, first, last, size):
    at = lambda time: (time - download.BEGIN + 3_600) * 1000
    body = bytes(src) + bytes(dst) + struct.pack("!HHB", 50_000, port, 6)
    return body + struct.pack("!QIII", size, size // 1_000 + 1, at(last), at(first))


def minute(now, n):
    """The records of one minute, which begins at `now`."""
    hour = (12 + n / 60) % 24
    busy = 0.3 + max(0.0, math.sin((hour - 7) / 24 * 2 * math.pi))
    for host in range(len(HOSTS)):
        size = int(busy * 40_000_000 / (host + 1) * (1 + 0.3 * math.sin(n * (host + 2) / 9)))
        yield record(now, [198, 51, 100, 10 + host], [192, 168, 1, 10 + host], 443, now, now + 59, size)
        yield record(now, [192, 168, 1, 10 + host], [198, 51, 100, 10 + host], 443, now, now + 59, size // 20)
    if 2350 <= n < 2365:
        yield record(now, [192, 168, 1, 66], [203, 0, 113, 77], 22, now, now + 59, 900_000_000)


def main():
    out = sys.stdout.buffer
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
    for n in range(2 * 1440 - 300):
        now = download.BEGIN + n * 60
        records = b"".join(minute(now, n))
        padding = -len(records) % 4
        sets = [download.template(), struct.pack("!HH", 256, len(records) + padding + 4) + records + bytes(padding)]
        octets = download.packet(download.datagram(n, now + 61, sets))
        out.write(struct.pack("<IIII", now + 61, 0, len(octets), len(octets)) + octets)


main()
