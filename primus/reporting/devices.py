"""The section of accuracies by recording device."""

from primus.reporting.html import paragraph, section, table
from primus.reporting.results import Results, interval_in
from primus.reporting.words import percent


def devices(results: Results) -> str:
    """Accuracy on the test windows of each device, of data sets that were tested with several; nothing where there is none."""
    rows = results.beside.devices
    rows = rows[rows["shots"] == results.headline] if len(rows) else rows
    if rows.empty:
        return ""
    seeds = ", ".join(str(count) for count in sorted(rows["seeds"].unique()))
    words = (
        f"Data sets that were tested with more than one device, at {results.headline} labelled segments per class: what the few-shot fits score on "
        f"the test segments of each device by themselves. Shots come from all devices. {seeds} pretraining {'seed' if seeds == '1' else 'seeds'}, "
        f"{results.episodes} draws of shots. Devices have other people, and may have other activities, so a difference is not the device's alone."
    )
    place = {name: number for number, name in enumerate(results.methods)}
    shown = [
        [f"{row['dataset']}, {row['device']}, {row['method']}", percent(interval_in(row, "accuracy")), str(row["participants"]), str(row["segments"])]
        for row in sorted(rows.to_dict("records"), key=lambda row: (row["dataset"], row["device"], place.get(row["method"], len(place))))
    ]
    header = ["data set, device, method", "accuracy", "people", "segments"]
    return section("Devices", paragraph(words), table("Accuracy in %, 95 % interval", header, shown))
