"""HTML text: escaped, self-contained, readable on light and dark pages and on a phone."""

import re
from collections.abc import Sequence
from html import escape

from primus.reporting.palette import DRAWN, PAGE, stylesheet

STYLE = """
*{box-sizing:border-box}
body{margin:0 auto;max-width:70rem;padding:1.2rem;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
h1{font-size:1.7rem;line-height:1.2;margin:.4rem 0}
h2{font-size:1.25rem;margin:2.2rem 0 .4rem}
h3{font-size:1rem;margin:1rem 0 .2rem}
p,ul{max-width:46rem}
.banner{background:var(--warn);color:var(--warn-ink);padding:.8rem 1rem;border-radius:.4rem;max-width:none}
.row{display:flex;flex-wrap:wrap;gap:1.2rem 2rem;align-items:flex-start}
.row>section{flex:1 1 auto;min-width:0;max-width:100%}
.figure{display:block;width:100%;height:auto}
.scroll{overflow-x:auto}
.scroll>.figure{min-width:min(25rem,var(--own))}
.figure+.figure{margin-top:1rem}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums;margin:.4rem 0}
caption{text-align:left;color:var(--soft);padding-bottom:.3rem}
th,td{padding:.22rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}
details{margin:.3rem 0 .8rem}
summary{cursor:pointer;color:var(--soft);font-size:.9rem}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;padding:0;font-size:.9rem;max-width:none}
a{color:var(--ink-blue)}
.words td,.words th{white-space:normal;text-align:left;vertical-align:top}
.words td:nth-child(4){white-space:nowrap}
@media (max-width:48rem){.words thead{display:none}.words tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
.words td,.words th{display:block;border:0;padding:.1rem 0}.words td::before{content:attr(data-label) ": ";color:var(--soft)}}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;padding:0;margin:.4rem 0}
.legend svg{vertical-align:middle}
"""


def table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose cells are escaped; the first cell of a row is its heading. Where it is too wide it scrolls, also by keyboard."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>" for row in rows)
    named = f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
    return f"{named}<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def paragraph(words: str, banner: bool = False) -> str:
    """An escaped paragraph; a banner is announced to screen readers."""
    return f'<p class="banner" role="note">{escape(words)}</p>' if banner else f"<p>{escape(words)}</p>"


def bullets(items: Sequence[str]) -> str:
    """An escaped list; nothing where there are no items."""
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>" if items else ""


def worded_table(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of sentences: its cells wrap, and on a phone every row becomes a block that names its columns."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = ""
    for first, *others in rows:
        cells = "".join(f'<td data-label="{escape(name)}">{escape(cell)}</td>' for name, cell in zip(header[1:], others, strict=True))
        body += f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>'
    return f'<table class="words"><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def details(summary: str, *parts: str) -> str:
    """Parts that a reader unfolds: the numbers beside a figure."""
    return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def anchor(heading: str) -> str:
    """The id of a heading: lower case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def section(heading: str, *parts: str) -> str:
    """A part of the page under a heading that links can name."""
    return f'<h2 id="{anchor(heading)}">{escape(heading)}</h2>' + "".join(parts)


def contents(sections: Sequence[str]) -> str:
    """Links to the headings of sections made by `section`."""
    found = [found for text in sections for found in re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', text)]
    items = "".join(f'<li><a href="#{target}">{heading}</a></li>' for target, heading in found)
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>'


def beside(*parts: str, least: str = "20rem") -> str:
    """Blocks side by side where each gets the width `least`, one below the other where the page is narrower."""
    return '<div class="row">' + "".join(f'<section style="flex-basis:min({least},100%)">{part}</section>' for part in parts) + "</div>"


def page(title: str, *parts: str, style: str = "") -> str:
    """The whole document; it loads nothing. `style`: CSS of this page's own."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{PAGE}{STYLE}{DRAWN}{stylesheet()}{style}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )
