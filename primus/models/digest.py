"""Which encoder it is: a digest of its weights."""

import hashlib

import numpy as np

from primus.models.encoder import ImuEncoder


def weights_digest(encoder: ImuEncoder) -> str:
    """SHA-256 of the encoder's tensors and their names, by which files of features and heads tell whose they are."""
    digest = hashlib.sha256()
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
    return digest.hexdigest()
