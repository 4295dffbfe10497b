"""A stage that does what no stage may do, so that the harness can be seen to notice it."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from primus.errors import UserError
from primus.stage import stage

OUT = Path("data/careless.json")


@stage("careless")
def main(deed: str) -> None:
    """Do one of the deeds, and write OUT."""
    OUT.parent.mkdir(exist_ok=True)
    if deed == "half a file":
        OUT.write_text('{"half": ')
        time.sleep(0.3)
    elif deed == "an orphan":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    elif deed == "a traceback":
        raise ValueError("nobody thought of it")
    elif deed == "no message":
        raise SystemExit(1)
    elif deed == "a refusal":
        raise UserError("it is 3; expected 4")
    elif deed == "no end":
        time.sleep(60)
    elif deed == "other bytes":
        OUT.write_text(f'{{"draw": {random.SystemRandom().random()}}}\n')
        return
    elif deed == "a death":
        os.kill(os.getpid(), 9)
    OUT.write_text('{"whole": 1}\n')
