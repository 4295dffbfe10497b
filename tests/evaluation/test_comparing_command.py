"""`primus compare` where a run cannot be found: one line, whatever DVC raised."""

from typing import Any

import pytest

from primus.commands.comparing import _of_revision
from primus.errors import UserError


class OddError(Exception):
    """As DVC's index raises, which shares no class with DVC's other errors."""


@pytest.mark.parametrize("said", ["failed to load directory ('data', 'demo', 'fewshot')", ""])
def test_whatever_dvc_raises_is_one_line(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    def fail(*_: Any, **__: Any) -> bytes:
        raise OddError(said)

    monkeypatch.setattr("dvc.api.read", fail)
    with pytest.raises(UserError, match=r"HEAD is neither a folder nor a revision.*dvc repro fewshot") as caught:
        _of_revision("data/demo/fewshot/predictions.parquet", "HEAD")
    assert (said or "OddError") in str(caught.value)
    assert "\n" not in str(caught.value)
