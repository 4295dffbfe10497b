"""Fig. 4 as a picture of its own, with legend, colours and what it is: an SVG file that opens anywhere, on light and dark pages."""

from primus.reporting.charts import HEIGHT, WIDTH
from primus.reporting.palette import DRAWN, PAGE, looks, stylesheet
from primus.reporting.results import Results
from primus.reporting.sections import efficiency_drawing
from primus.reporting.svg import element, label, marker, path

GAP, TOP, ROW = 24, 66, 22


def few_shot_picture(results: Results) -> str:
    """The drawings of all data sets beside each other, under one legend."""
    width = len(results.datasets) * (WIDTH + GAP) + GAP
    height = TOP + HEIGHT + ROW
    corpus = "SIMULATED recordings: it shows that the pipeline works, not that the method does" if results.simulated else f"profile {results.profile}"
    words = f"Few-shot accuracy of frozen encoders, with 95 % intervals; {corpus}"
    parts = [element("style", PAGE + DRAWN + stylesheet()), element("rect", width=width, height=height, fill="var(--page)")]
    parts.append(label(GAP, 18, words, class_="title"))
    x = float(GAP)
    for name, look in looks(results.methods).items():
        line = path([(x, 36), (x + 28, 36)], fill="none", stroke="currentColor", stroke_width=2, stroke_dasharray=look.dash or "none")
        parts.append(element("g", line + marker(look.marker, x + 14, 36), class_=look.css))
        parts.append(label(x + 34, 40, name, class_="tick"))
        x += 60 + 7.5 * len(name)
    for number, dataset in enumerate(results.datasets):
        left = GAP + number * (WIDTH + GAP)
        facts = results.datasets[dataset]
        parts.append(label(left, TOP - 6, f"{dataset}: {facts.classes} classes, {facts.participants} people tested", class_="title"))
        drawing = efficiency_drawing(results, dataset)
        parts.append(drawing.replace("<svg ", f'<svg x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" ', 1))
    head = element("title", "Few-shot accuracy by number of labelled segments per class")
    return element("svg", head + "".join(parts), xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", width=width, height=height)
