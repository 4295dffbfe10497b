"""Make `dvc plots show` and `dvc plots diff` open without a network: `python -m primus.reporting.plots_page`.

DVC's page loads Vega from a content-delivery network. A page template of one's own replaces it (`plots.html_template`); this one carries the
libraries inside. It is generated from the installed vl-convert into a git-ignored file and named in the git-ignored `.dvc/config.local`.
"""

import subprocess
import sys
from pathlib import Path

from primus.artifacts import atomic_path
from primus.errors import UserError

TEMPLATE = Path("plots") / "offline.html"
"""The page template, relative to the `.dvc` folder, as DVC's configuration names it."""

VEGA_LITE_MAJOR = "5"
"""DVC's plot templates are written for this major version of Vega-Lite."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh_tag}
<title>DVC plots</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; background: #fff; color: #1a1a1a }}
body > div {{ overflow-x: auto; margin: 0 0 2rem }}
table {{ border-spacing: 15px }}
</style>
<script>{bundle}</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def vega_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that sets `window.vegaEmbed` (about 0.9 MB)."""
    try:
        import vl_convert
    except ImportError:
        raise UserError("the offline plots page needs vl-convert-python; install it with `pip install 'primus-imu[dev]'`") from None
    versions = [version for version in vl_convert.get_vegalite_versions() if version.split(".")[0] == VEGA_LITE_MAJOR]
    if not versions:
        raise UserError(f"the installed vl-convert has no Vega-Lite {VEGA_LITE_MAJOR}; install vl-convert-python 1.7 or a later 1.x")
    script = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", versions[-1]))
    # Inside a page `</script` would end the script element early; in JavaScript the escaped slash is the same string.
    return script.replace("</script", "<\\/script")


def write_page(dvc_dir: Path) -> Path:
    """Write the page template below the `.dvc` folder unless it is there already; returns its path."""
    target = dvc_dir / TEMPLATE
    page = PAGE.format(refresh_tag="{refresh_tag}", plot_divs="{plot_divs}", bundle=vega_bundle())
    if not target.exists() or target.read_text(encoding="utf-8") != page:
        with atomic_path(target) as temporary:
            temporary.write_text(page, encoding="utf-8")
    return target


def set_up(repository: Path) -> Path:
    """Write the page and point this checkout's DVC at it; running it again changes nothing.

    Raises UserError where there is no `.dvc` folder or DVC refuses the setting.
    """
    dvc_dir = repository / ".dvc"
    if not dvc_dir.is_dir():
        raise UserError(f"{dvc_dir} does not exist; run this from the root of the repository")
    page = write_page(dvc_dir)
    command = [sys.executable, "-m", "dvc", "config", "--local", "plots.html_template", TEMPLATE.as_posix()]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"`dvc config --local plots.html_template {TEMPLATE.as_posix()}` failed: {' '.join(done.stderr.split())}")
    return page


def main() -> None:
    """Set up the checkout in the current folder."""
    try:
        page = set_up(Path.cwd())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print(f"plots open offline: {page.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
