"""A take as one self-contained HTML page: signals, segments, narrations and rejects over time, and the same in tables."""

from collections.abc import Callable
from typing import Any

from primus.inspection.takes import InspectedTake
from primus.inspection.timeline import Span, Strip, Timeline, timeline_of
from primus.inspection.told import told
from primus.reasons import meaning
from primus.reporting.charts import nice_ticks
from primus.reporting.html import escape, page, paragraph, section, table
from primus.reporting.palette import Look, looks
from primus.reporting.svg import element, figure, label, path

LEFT, RIGHT, TOP = 86, 16, 14
STRIP, BETWEEN, LANE = 46, 6, 11
NARROWEST, WIDEST, PX_PER_S = 980, 3600, 9.0
PX_PER_COLUMN = 1.5

ToPixels = Callable[[float], float]

_KINDS = ("accelerometer", "gyroscope", "narration", "segment", "segment without video", "reject", "no samples")
_LOOK_OF = dict(zip(_KINDS, ("primus", "simclr", "imu2clip-video", "imu2clip", "random", "imu2clip-text", "random"), strict=True))

STYLE = """
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.5rem 1.5rem;margin:1rem 0}
.facts dt{color:var(--soft);font-size:.85rem}
.facts dd{margin:0;overflow-wrap:anywhere}
.words th,.words td{text-align:left;vertical-align:top}
.words td{white-space:normal;min-width:6rem}
.words td:last-child{min-width:16rem}
.words th[scope=row]{font-weight:normal}
.band{fill:currentColor;stroke:currentColor;stroke-width:.7;stroke-linejoin:round}
.span{fill:currentColor;fill-opacity:.55;stroke:currentColor;stroke-width:.8}
.weak{fill-opacity:.12}
.hole{fill:url(#holes)}
.refused{fill:url(#refusals);stroke:currentColor;stroke-width:1}
.span:hover,.refused:hover,.note:hover{stroke:var(--ink);stroke-width:2}
details{margin:.6rem 0}
summary{cursor:pointer;font-weight:600}
"""


def take_page(take: InspectedTake) -> str:
    """The HTML document; narrations and everything else from the data are escaped."""
    width = round(min(max(take.duration_s * PX_PER_S, NARROWEST), WIDEST))
    line = timeline_of(take, round((width - LEFT - RIGHT) / PX_PER_COLUMN))
    parts = []
    if take.trouble:
        parts.append(paragraph(f"Its IMU cannot be shown: {take.trouble}", banner=True))
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in told(take.facts))
    parts.append(f'<dl class="facts">{facts}</dl>')
    parts.append(section("Over time", paragraph(_reading(take, line)), _legend(take, line), _drawing(take, line, width)))
    parts += [_narrations(take), _rejects(take), _segments(take)]
    kind = "Take" if "take_uid" in take.facts else "Recording"
    return page(f"{kind} {take.name}", *parts, style=STYLE)


def _reading(take: InspectedTake, line: Timeline) -> str:
    words = "Hold the pointer over a mark to read what it stands for; the tables below say the same."
    if line.strips:
        words = f"Each signal is drawn as its lowest and highest value per {line.column_s * 1000:.3g} ms. " + words
    if take.duration_s * PX_PER_S > NARROWEST:
        words += " The picture is wider than the page: scroll it sideways."
    return words


def _legend(take: InspectedTake, line: Timeline) -> str:
    present = {strip.sensor for strip in line.strips}
    present |= {"narration"} if take.narrations else set()
    present |= {"segment without video" if span.weak else "segment" for span in line.segments}
    present |= {"reject"} if line.rejects else set()
    present |= {"no samples"} if line.holes else set()
    items = []
    for kind in _KINDS:
        if kind in present:
            swatch = element("rect", x=1, y=2, width=22, height=12, class_=_css(kind)[1], fill="currentColor")
            key = element("svg", swatch, viewBox="0 0 24 16", width=24, height=16, class_=_css(kind)[0], aria_hidden="true")
            items.append(f"<li>{key} {escape(kind)}</li>")
    return f'<ul class="legend">{"".join(items)}</ul>'


def _css(kind: str) -> tuple[str, str]:
    """Class of a kind's colour, and of its filling."""
    colour: Look = looks([_LOOK_OF[kind]])[_LOOK_OF[kind]]
    fillings = {"segment": "span", "segment without video": "span weak", "reject": "refused", "no samples": "hole"}
    return colour.css, fillings.get(kind, "band")


def _drawing(take: InspectedTake, line: Timeline, width: int) -> str:
    def px(seconds: float) -> float:
        return LEFT + (seconds - line.start_s) / (line.end_s - line.start_s) * (width - LEFT - RIGHT)

    parts, y = [_patterns()], TOP
    if take.narrations:
        parts.append(_narration_row(take, px, y))
        y += 26
    signals_top = y
    for number, strip in enumerate(line.strips):
        y += BETWEEN * 2 if number and strip.axis == "x" else 0
        parts.append(_strip(strip, line, px, y, width))
        y += STRIP + BETWEEN
    for start, end in line.holes:
        words = element("title", escape(f"no samples for {end - start:.3f} s, {start:.3f} to {end:.3f} s"))
        box = {"x": px(start), "y": signals_top, "width": max(px(end) - px(start), 1.0), "height": y - BETWEEN - signals_top}
        parts.append(element("g", element("rect", words, class_="hole", **box), class_=_css("no samples")[0]))
    for name, spans in (("segments", line.segments), ("rejects", line.rejects)):
        if spans:
            y += BETWEEN
            parts.append(label(LEFT - 8, y + LANE, name, text_anchor="end", class_="tick"))
            parts += [_span(span, name, px, y) for span in spans]
            y += LANE * (1 + max(span.lane for span in spans)) + BETWEEN
    for tick in nice_ticks(line.start_s, line.end_s, max(6, width // 110)):
        parts.append(path([(px(tick), y), (px(tick), y + 4)], class_="axis"))
        parts.append(label(px(tick), y + 17, f"{tick:g}", text_anchor="middle", class_="tick"))
    parts.append(path([(LEFT, y), (width - RIGHT, y)], class_="axis"))
    parts.append(label(LEFT - 8, y + 17, "seconds", text_anchor="end", class_="title"))
    drawing = figure(width, y + 24, f"Take {take.name} over time", _alternative(take, line), "".join(parts))
    return f'<div class="scroll" tabindex="0"><div style="min-width:{width}px">{drawing}</div></div>'


def _alternative(take: InspectedTake, line: Timeline) -> str:
    shown = " and ".join(dict.fromkeys(f"{strip.sensor} in {strip.unit}" for strip in line.strips)) or "no signal"
    holes = f", {len(line.holes)} holes in the recording" if line.holes else ""
    return (
        f"{line.start_s:.1f} to {line.end_s:.1f} s: {shown}{holes}; {len(take.narrations)} narrations, {len(take.segments)} segments, "
        f"{len(take.rejects)} rejects"
    )


def _patterns() -> str:
    """Hatchings, so that what is refused and what is missing are told apart without colour."""
    stroke: dict[str, Any] = {"stroke": "currentColor", "stroke_width": 1.6}
    box: dict[str, Any] = {"width": 6, "height": 6, "patternUnits": "userSpaceOnUse"}
    refusals = element("pattern", path([(0, 6), (6, 0)], **stroke), id="refusals", class_=_css("reject")[0], **box)
    holes = element("pattern", path([(0, 0), (6, 6)], **stroke | {"stroke_width": 0.8}), id="holes", class_=_css("no samples")[0], **box)
    return element("defs", refusals + holes)


def _narration_row(take: InspectedTake, px: ToPixels, y: float) -> str:
    marks = [label(LEFT - 8, y + 12, "narrations", text_anchor="end", class_="tick")]
    half = min(max(0.45 * (px(take.duration_s) - px(0.0)) / len(take.narrations), 1.2), 5.0)  # narrow where they stand close
    for narration in take.narrations:
        x = px(narration.time_s)
        words = element("title", escape(f"{narration.time_s:.3f} s: {narration.text}", quote=False))
        outline = f"M{x - half:.2f} {y:.2f} L{x + half:.2f} {y:.2f} L{x:.2f} {y + 14:.2f} Z"
        look = {"fill_opacity": 1 if narration.subject in ("C", None) else 0.1, "stroke": "currentColor"}
        marks.append(element("path", words, d=outline, fill="currentColor", class_="note", **look))
    return element("g", "".join(marks), class_=_css("narration")[0])


def _strip(strip: Strip, line: Timeline, px: ToPixels, y: float, width: int) -> str:
    def py(value: float) -> float:
        inside = (value - strip.low) / (strip.high - strip.low)
        return y + STRIP * (1 - min(max(inside, 0.0), 1.0))

    parts = [element("rect", x=LEFT, y=float(y), width=width - LEFT - RIGHT, height=STRIP, fill="none", class_="grid")]
    ticks = nice_ticks(strip.low, strip.high, 3)
    for tick in ticks:
        parts.append(path([(LEFT, py(tick)), (width - RIGHT, py(tick))], class_="grid"))
        if y + 8 <= py(tick) <= y + STRIP:
            parts.append(label(LEFT - 4, py(tick) + 4, f"{tick:g}", text_anchor="end", class_="tick"))
    drawn = []
    for run in strip.envelope.runs(line.column_s):
        upper = [(px(float(t)), py(float(v))) for t, v in zip(run.times_s, run.high, strict=True)]
        lower = [(px(float(t)), py(float(v))) for t, v in zip(run.times_s, run.low, strict=True)]
        drawn.append(path(upper + lower[::-1], close=True, class_="band"))
    parts.append(element("g", "".join(drawn), class_=_css(strip.sensor)[0]))
    parts.append(label(2, y + 12, f"{'accel' if strip.sensor == 'accelerometer' else 'gyro'} {strip.axis}", class_="tick"))
    parts.append(label(2, y + 26, strip.unit, class_="title"))
    return "".join(parts)


def _span(span: Span, name: str, px: ToPixels, y: float) -> str:
    kind = "reject" if name == "rejects" else "segment without video" if span.weak else "segment"
    colour, filling = _css(kind)
    box = {"x": px(span.start_s), "y": float(y + LANE * span.lane), "width": max(px(span.end_s) - px(span.start_s), 1.5), "height": LANE - 2}
    return element("g", element("rect", element("title", escape(span.words, quote=False)), class_=filling, **box), class_=colour)


def _narrations(take: InspectedTake) -> str:
    if not take.narrations:
        return ""
    starts, ends = take.segments["start_s"].to_numpy(float), take.segments["end_s"].to_numpy(float)
    rows = []
    for narration in take.narrations:
        covering = int(((starts <= narration.time_s) & (narration.time_s < ends)).sum())
        rows.append([f"{narration.time_s:.3f}", narration.subject or "?", str(covering), narration.text])
    said = "Seconds from take start; who it is about (C the wearer, O others); how many segments cover its moment."
    return section("Narrations", f'<div class="words">{table(said, ["time", "about", "segments", "text"], rows)}</div>')


def _rejects(take: InspectedTake) -> str:
    if take.rejects.empty:
        return section("Rejects", paragraph("Nothing of it was refused.")) if len(take.segments) else ""
    rows = []
    for row in take.rejects.to_dict("records"):
        when = f"{row['start_s']:.3f} to {row['end_s']:.3f}" if row["start_s"] == row["start_s"] else ""
        rows.append([row["reason"], row["scope"], when, meaning(row["reason"]), row["detail"]])
    return section("Rejects", f'<div class="words">{table("", ["reason", "scope", "seconds", "meaning", "detail"], rows)}</div>')


def _segments(take: InspectedTake) -> str:
    if take.segments.empty:
        return ""
    rows = []
    for row in take.segments.to_dict("records"):
        texts = " / ".join(row["texts"]) if row["texts"] is not None else ""
        label_words = row["label"] if isinstance(row["label"], str) else ""
        video = "yes" if isinstance(row["video_path"], str) else "no"
        rows.append([f"{row['start_s']:.3f} to {row['end_s']:.3f}", label_words, row["policy"], video, texts])
    listed = f'<div class="words">{table("", ["seconds", "label", "policy", "video", "texts"], rows)}</div>'
    return section("Segments", f"<details><summary>{len(rows)} segments</summary>{listed}</details>")
