# SPDX-License-Identifier: BSD-2-Clause
"""Sockgate beside its peers, as SVG: a row of bars for each measurement, as long as the CPU time that it took."""

import html
import statistics

import peers

SHOWN = ('streams_1', 'streams_8', 'streams_64', 'sessions', 'trips', 'udp_64_8')
WIDTH, LEFT, RIGHT, BAR, GAP = 760, 120, 110, 16, 4
COLOURS = {'sockgate': '#1b6ca8'}
OTHERS = '#a9b4bd'


def text(x, y, content, size=12, anchor='start', weight='normal'):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}">'
            f'{html.escape(content)}</text>')


def label(server):
    return f'{server} (raw)' if peers.PEERS[server].raw else server


def block(bench, name, suite, top):
    """One measurement from this height on: (lines, the height where it ends)."""
    medians = {server: statistics.median(bench.figures(name, server, 'cpu')) for server in bench.results[name]}
    longest = max(medians.values())
    lines = [text(LEFT, top + 14, f'{suite.title[0].upper()}{suite.title[1:]}: CPU {suite.unit}', 13, weight='bold')]
    y = top + 22
    for server, value in medians.items():
        width = (WIDTH - LEFT - RIGHT) * value / longest
        lines += [text(LEFT - 8, y + BAR - 4, label(server), anchor='end'),
                  f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLOURS.get(server, OTHERS)}"/>',
                  text(LEFT + width + 6, y + BAR - 4, f'{value:.3g}')]
        y += BAR + GAP
    return lines, y + 14


def draw(bench, suites, machine):
    lines, y = [], 12
    for name in SHOWN:
        if name in bench.results:
            more, y = block(bench, name, suites[name], y)
            lines += more
    lines.append(text(LEFT, y + 4, 'less is better; raw: forwards to one target, no SOCKS, no rules, no log', 11))
    lines.append(text(LEFT, y + 20, f'{machine["processor"]}, Linux {machine["kernel"]}, {machine["date"]}', 11))
    y += 16
    return '\n'.join(['<?xml version="1.0" encoding="UTF-8"?>',
                      f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 16}" '
                      f'viewBox="0 0 {WIDTH} {y + 16}" font-family="sans-serif">',
                      '<title>CPU time of sockgate beside its peers</title>',
                      f'<rect width="{WIDTH}" height="{y + 16}" fill="white"/>', *lines, '</svg>', ''])
