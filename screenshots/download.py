#!/usr/bin/env python3
"""Writes a capture of one download of 100 Mbit/s, as an exporter with an active timeout tells of it.

    screenshots/download.py 60 > download.pcap     # reported every 60 seconds, for an hour
    flowglass replay download.pcap                 # `a` shows the same by the time of arrival
"""

import struct
import sys

BEGIN = 1_773_057_600
LASTS = 3_540
BYTES_PER_SECOND = 12_500_000
FIELDS = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 8), (2, 4), (21, 4), (22, 4)]


def datagram(sequence, now, sets):
    uptime = (now - BEGIN + 3_600) * 1000
    header = struct.pack("!HHIIII", 9, len(sets), uptime, now, sequence, 0)
    return header + b"".join(sets)


def template():
    fields = b"".join(struct.pack("!HH", *field) for field in FIELDS)
    body = struct.pack("!HH", 256, len(FIELDS)) + fields
    return struct.pack("!HH", 0, len(body) + 4) + body


def data(first, last, size):
    at = lambda time: (time - BEGIN + 3_600) * 1000
    record = bytes([198, 51, 100, 37, 192, 168, 1, 20]) + struct.pack("!HHB", 443, 51_000, 6)
    record += struct.pack("!QIII", size, size // 1400, at(last), at(first))
    padding = -len(record) % 4
    return struct.pack("!HH", 256, len(record) + padding + 4) + record + bytes(padding)


def packet(payload):
    udp = struct.pack("!HHHH", 40_000, 2055, len(payload) + 8, 0) + payload
    address = bytes([192, 0, 2, 1, 192, 0, 2, 10])
    ip = struct.pack("!BBHHHBBH", 0x45, 0, len(udp) + 20, 0, 0, 64, 17, 0) + address
    return bytes(12) + b"\x08\x00" + ip + udp


def main():
    timeout = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    out = sys.stdout.buffer
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
    reports = list(range(timeout, LASTS + 1, timeout))
    for sequence, end in enumerate(reports):
        now = BEGIN + end + 1
        sets = [template(), data(BEGIN + end - timeout, BEGIN + end, timeout * BYTES_PER_SECOND)]
        octets = packet(datagram(sequence, now, sets))
        out.write(struct.pack("<IIII", now, 0, len(octets), len(octets)) + octets)


if __name__ == "__main__":
    main()
