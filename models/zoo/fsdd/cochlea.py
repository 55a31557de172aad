# SPDX-License-Identifier: Apache-2.0
"""Spoken digits as spikes: mel filter bank, then level crossings of every band; numpy only.

A mel band stands for a place on the basilar membrane; an ON line fires when its level has risen
by one step since the last spike of the band, an OFF line when it has fallen by one. So steady
sound and silence cost nothing, onsets and glides of formants fire.
"""

# Ref: Stevens, Volkmann, Newman, "A scale for the measurement of the psychological magnitude
#   pitch", J. Acoust. Soc. Am. 8 (1937); its formula 2595 log10(1 + f/700): O'Shaughnessy,
#   "Speech Communication" (1987). Triangles on it: Davis, Mermelstein, IEEE TASSP 28(4) (1980).
# Ref: Miskowicz, "Send-on-delta: an event-based data reporting strategy", Sensors 6(1) (2006);
#   ON and OFF lines as in a silicon retina: Lichtsteiner et al., IEEE JSSC 43(2) (2008).

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurotile.spec import UserError

__all__ = ["BANDS", "LINES", "RATE", "STEPS", "Recordings", "band_levels", "encode",
           "level_crossings", "mel_filters", "read", "stimulus"]

RATE = 8000  # samples per second of the recordings
STEPS = 64  # of 10 ms; 93 % of the recordings are no longer, the rest are cut
BANDS = 32
LINES = 2 * BANDS  # ON of every band, then OFF of every band

_HOP = 80  # 10 ms
_WINDOW = 200  # 25 ms
_FFT = 256
_PRE_EMPHASIS = 0.97
_LOWEST, _HIGHEST = 100.0, 4000.0  # Hz
_FLOOR_DB = -15.0  # of a recording whose peak is 1; the loudest bands reach about 35 dB
_STEP_DB = 4.0

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Recordings:
    """Recordings of the Free Spoken Digit Dataset, one after the other.

    Parameters
    ----------
    audio : ndarray of int16, (samples of all recordings,)
    length : ndarray of int, (recordings,)
        Samples of each.
    label, speaker, take : ndarray of uint8, (recordings,)
        Digit, speaker, and the number of the take: 0 to 49.
    """

    audio: npt.NDArray[np.int16]
    length: npt.NDArray[np.int32]
    label: Bytes
    speaker: Bytes
    take: Bytes

    def split(self, name: str) -> npt.NDArray[np.int64]:
        """Indices of the official parts: "test" is takes 0 to 4, "train" the others.

        Raises
        ------
        UserError
            There is no such part.
        """
        if name not in ("train", "test"):
            raise UserError(f"the parts are train and test, not {name!r}")
        return np.flatnonzero((self.take < 5) == (name == "test"))


def read(path: str | Path) -> Recordings:
    """Recordings in an .npz file with ``audio``, ``length``, ``label``, ``speaker``, ``index``.

    Raises
    ------
    UserError
        The file is missing, lacks an array, or was sampled at another rate.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such file")
    with np.load(path) as held:
        wanted = ("audio", "length", "label", "speaker", "index", "sample_rate")
        if lacking := sorted(set(wanted) - set(held.files)):
            raise UserError(f"{path}: lacks {', '.join(lacking)}")
        if int(held["sample_rate"]) != RATE:
            raise UserError(f"{path}: sample_rate must be {RATE}, not {int(held['sample_rate'])}")
        return Recordings(*(held[key] for key in wanted[:-1]))


def mel_filters() -> Floats:
    """Weight of every bin of the spectrum in every band, (BANDS, _FFT/2 + 1): triangles."""
    low, high = (2595.0 * np.log10(1.0 + f / 700.0) for f in (_LOWEST, _HIGHEST))
    edges = 700.0 * (10.0 ** (np.linspace(low, high, BANDS + 2) / 2595.0) - 1.0)
    left, peak, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    f = np.arange(_FFT // 2 + 1) * RATE / _FFT
    return np.maximum(0.0, np.minimum((f - left) / (peak - left), (right - f) / (right - peak)))


def band_levels(audio: npt.ArrayLike) -> Floats:
    """Power of every band in every step, in dB, (STEPS, BANDS); the peak is scaled to 1.

    Parameters
    ----------
    audio : (samples,), one recording at 8 kHz, any unit
    """
    x = np.asarray(audio, np.float64)
    x = x / (np.abs(x).max(initial=0.0) or 1.0)
    x = np.append(x[:1], x[1:] - _PRE_EMPHASIS * x[:-1])
    length = (STEPS - 1) * _HOP + _WINDOW
    # Half a window of silence in front: frame t is centred at t steps of 10 ms.
    padded = np.zeros(length)
    kept = x[:length - _WINDOW // 2]
    padded[_WINDOW // 2:_WINDOW // 2 + len(kept)] = kept
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    spectrum = np.fft.rfft(frames * np.hanning(_WINDOW), _FFT)
    power = (spectrum.real ** 2 + spectrum.imag ** 2) @ mel_filters().T
    return 10.0 * np.log10(power + 1e-10)


def level_crossings(levels: npt.ArrayLike, step: float = _STEP_DB, floor: float = _FLOOR_DB
                    ) -> Bytes:
    """ON and OFF spikes of levels that have moved by ``step`` since the last spike.

    Parameters
    ----------
    levels : (..., steps, bands), float
    step : a level that has moved by n steps fires once and its reference moves by n steps
    floor : where references start; lower levels count as this

    Returns spikes, (..., steps, 2*bands), uint8: ON of every band, then OFF of every band.
    """
    x = np.maximum(np.asarray(levels, np.float64), floor)
    reference = np.full_like(x[..., 0, :], floor)
    moves = np.empty(x.shape)
    for t in range(x.shape[-2]):
        moves[..., t, :] = np.trunc((x[..., t, :] - reference) / step)
        reference += moves[..., t, :] * step
    return np.concatenate([moves > 0, moves < 0], axis=-1).astype(np.uint8)


def encode(audio: npt.ArrayLike) -> Bytes:
    """Spikes of one recording at 8 kHz, (samples,): (STEPS, LINES), uint8."""
    return level_crossings(band_levels(audio))


def stimulus(recordings: Recordings, chosen: npt.NDArray[np.int64]
             ) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """Spikes (recordings, STEPS, LINES), uint8, and labels (recordings,), int64, of those chosen.

    Parameters
    ----------
    recordings : as :func:`read` gives them
    chosen : (recordings,), indices
    """
    end = np.cumsum(recordings.length, dtype=np.int64)
    start = end - recordings.length
    levels = np.stack([band_levels(recordings.audio[start[n]:end[n]]) for n in chosen])
    return level_crossings(levels), recordings.label[chosen].astype(np.int64)
