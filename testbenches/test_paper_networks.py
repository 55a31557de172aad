# SPDX-License-Identifier: Apache-2.0
"""Networks of the NIR paper through the whole chain, on every engine."""

import numpy as np
import pytest

import neurotile
from neurotile.testbenches.nir_cases import shared_data

ENGINES = ("golden", "fast", "rtl")


@pytest.mark.parametrize("engine", ENGINES)
def test_single_lif(engine):
    folder = shared_data("nir_lif")
    spikes = np.genfromtxt(folder / "lif_norse.csv", delimiter=",")[:, :1].astype(np.uint8)
    net = neurotile.load(folder / "lif_norse.nir", dt=1e-4, reset="zero")
    (found,) = neurotile.run(net, spikes, engine=engine).spikes.values()
    # README of the data: exact, norse, snntorch, nengo and spinnaker2 agree on these.
    assert np.flatnonzero(found[0, :, 0]).tolist() == [460, 510, 710, 760]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("bits, most", [((16, 24), 0), ((8, 16), 140)], ids=["16bit", "8bit"])
def test_braille(engine, bits, most):
    folder = shared_data("nir_braille")
    spikes = np.load(folder / "sample0_input.npz")["spikes"]
    expected = np.load(folder / "sample0_lif1_bias_zero.npz")["snntorch"]
    net = neurotile.load(folder / "braille_noDelay_bias_zero.nir", dt=1e-4, reset="zero")
    result = neurotile.run(net, spikes, engine=engine, weight_bits=bits[0], state_bits=bits[1])
    assert (result.spikes["lif1.lif"][0] != expected).sum() <= most
