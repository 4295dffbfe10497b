"""The encoder as a scikit-learn transformer: windows in, features out, inside a Pipeline."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from primus.errors import Rejected, UserError
from primus.inference.contract import Model, open_encoder
from primus.inference.encoding import BATCH, encode_windows, projection_name
from primus.inference.policy import Policy
from primus.inference.recording_windows import PreparedRecording
from primus.inference.samples import to_recording
from primus.models.encoder import ImuEncoder


class ImuFeatures(TransformerMixin, BaseEstimator):
    """Frozen features of IMU windows; nothing is learnt, `fit` opens the model and checks the windows against its input contract.

    Parameters:
        model: an encoder, its folder, or a Hugging Face id.
        output: "feature", or "projection" (of a model with heads).
        rate_hz: None for windows (N, 6, T) that keep the contract; otherwise the rate of windows (N, 6, n) of the contract's length in seconds,
            which are then resampled, checked and brought to its units one by one.
        accel_unit, gyro_unit: of those windows; used with `rate_hz` only.
        missing_gyro: "refuse", or "zeros" for windows (N, 3, n); used with `rate_hz` only.
        batch: windows encoded at once.
        threads: batches encoded at the same time.

    Attributes:
        encoder_: the opened model.
        n_features_out_: width of the output.

    Raises (from `fit` and `transform`):
        ValueError: the model cannot be opened, or the windows are not what it takes; the message says what was found and what was expected.
    """

    def __init__(
        self,
        model: Model,
        *,
        output: Literal["feature", "projection"] = "feature",
        rate_hz: float | None = None,
        accel_unit: str = "m/s^2",
        gyro_unit: str = "rad/s",
        missing_gyro: Literal["refuse", "zeros"] = "refuse",
        batch: int = BATCH,
        threads: int = 1,
    ) -> None:
        self.model = model
        self.output = output
        self.rate_hz = rate_hz
        self.accel_unit = accel_unit
        self.gyro_unit = gyro_unit
        self.missing_gyro = missing_gyro
        self.batch = batch
        self.threads = threads

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Open the model; X (N, 6, T) is checked by `transform`, y is ignored."""
        if self.output not in ("feature", "projection"):
            raise ValueError(f"output is {self.output!r}; expected 'feature' or 'projection'")
        try:
            encoder: ImuEncoder = open_encoder(self.model)
        except UserError as error:
            raise ValueError(str(error)) from None
        if self.output == "projection" and projection_name(encoder) is None:
            raise ValueError("output is 'projection', but the model has no heads; use 'feature'")
        self.encoder_ = encoder
        self.n_features_out_ = encoder.feature_dim if self.output == "feature" else encoder.projection_dim
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Features (N, n_features_out_) float32 of windows (N, 6, T), one row each; a window that cannot be trusted is an error, never a row."""
        check_is_fitted(self, "encoder_")
        try:
            windows = X if self.rate_hz is None else self._resampled(X)
            feature, projection = encode_windows(self.encoder_, windows, self.batch, self.threads)
        except (UserError, Rejected) as error:
            raise ValueError(str(error)) from None
        if self.output == "feature":
            return feature
        assert projection is not None
        return projection

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """primus_feature_0, primus_feature_1, ..."""
        check_is_fitted(self, "encoder_")
        return np.array([f"primus_{self.output}_{number}" for number in range(self.n_features_out_)], dtype=object)

    def _resampled(self, X: ArrayLike) -> NDArray[np.float32]:
        """Windows at another rate, each as a recording of its own, under the contract."""
        windows = np.asarray(X, dtype=np.float64)
        if windows.ndim != 3 or windows.shape[1] not in (3, 6):
            hint = "; transpose the last two axes" if windows.ndim == 3 and windows.shape[2] in (3, 6) else ""
            raise UserError(f"windows have shape {windows.shape}; expected (N, 6, n), accelerometer then gyroscope{hint}")
        assert self.rate_hz is not None
        contract, policy = self.encoder_.inputs, Policy(missing_gyro=self.missing_gyro)
        seconds = windows.shape[2] / self.rate_hz
        if abs(seconds - contract.window_s) > 1 / contract.rate_hz:
            raise UserError(
                f"windows of {windows.shape[2]} samples at {self.rate_hz:g} Hz last {seconds:g} s; the model takes {contract.window_s:g} s"
            )
        found = np.empty((len(windows), 6, contract.samples), np.float32)
        for number, window in enumerate(windows):
            recording = to_recording(window.T, rate_hz=self.rate_hz, accel_unit=self.accel_unit, gyro_unit=self.gyro_unit, source=f"window {number}")
            prepared = PreparedRecording(recording, contract, policy)
            if not len(prepared):
                refused = prepared.rejects[0]
                raise Rejected(refused.reason, f"window {number}: {refused.detail}")
            found[number] = prepared.windows(0, 1).imu[0]
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags
