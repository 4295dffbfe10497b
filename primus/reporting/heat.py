"""A table of numbers as shades: darker is higher."""

from collections.abc import Mapping, Sequence

from primus.reporting.svg import element, figure, label

CELL = 40


def heat_chart(title: str, description: str, names: Sequence[str], cells: Mapping[tuple[str, str], float]) -> str:
    """A square of numbers by (row, column), in percent; what is absent stays empty, and shades span the numbers there are."""
    longest = max((len(name) for name in names), default=0)
    left, top = 14 + 6.6 * longest, 12 + 4.8 * longest
    low, high = (min(cells.values()), max(cells.values())) if cells else (0.0, 1.0)
    width, height = int(left + CELL * len(names) + 4.9 * longest) + 4, int(top + CELL * len(names)) + 6
    parts = []
    for row, name in enumerate(names):
        parts.append(label(left - 6, top + CELL * (row + 0.5) + 4, name, text_anchor="end", class_="tick"))
        x = left + CELL * (row + 0.5)
        parts.append(label(x, top - 6, name, class_="tick", transform=f"rotate(-45 {x:.1f} {top - 6:.1f})"))
        for column, other in enumerate(names):
            if (name, other) not in cells:
                continue
            value = cells[name, other]
            shade = (value - low) / ((high - low) or 1.0)
            x, y = left + CELL * column, top + CELL * row
            parts.append(element("rect", x=x + 1, y=y + 1, width=CELL - 2, height=CELL - 2, fill="var(--ink-blue)", fill_opacity=0.06 + 0.94 * shade))
            parts.append(label(x + CELL / 2, y + CELL / 2 + 4, f"{100 * value:.1f}", text_anchor="middle", class_="over" if shade > 0.5 else "tick"))
    return figure(width, height, title, description, "".join(parts))
