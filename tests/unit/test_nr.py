"""The tables of TS 38.214 are as printed, and an SNR opens the best row it supports."""

import math

import numpy as np
import pytest

from netsim import nr
from netsim.scenario import NrLink
from tests.unit.lone_slice import lone_slice, rates_of

# Efficiencies as printed in TS 38.214, to four places.
CQI_64QAM = [0.1523, 0.2344, 0.3770, 0.6016, 0.8770, 1.1758, 1.4766, 1.9141, 2.4063, 2.7305, 3.3223, 3.9023, 4.5234,
             5.1152, 5.5547]  # fmt: skip
CQI_256QAM = [0.1523, 0.3770, 0.8770, 1.4766, 1.9141, 2.4063, 2.7305, 3.3223, 3.9023, 4.5234, 5.1152, 5.5547, 6.2266,
              6.9141, 7.4063]  # fmt: skip
MCS_64QAM = {0: 0.2344, 9: 1.3262, 10: 1.3281, 16: 2.5703, 17: 2.5664, 18: 2.7305, 28: 5.5547}
MCS_256QAM = {0: 0.2344, 4: 1.1758, 10: 2.5703, 11: 2.7305, 19: 5.1152, 20: 5.3320, 26: 7.1602, 27: 7.4063}


def link(**more):
    return NrLink.model_validate({"model": "nr", **more})


def efficiencies(rows):
    return [order * rate / 1024 for order, rate in rows]


@pytest.mark.parametrize(("rows", "printed"), [(nr.CQI_64QAM, CQI_64QAM), (nr.CQI_256QAM, CQI_256QAM)])
def test_cqi_tables_are_as_printed(rows, printed):
    assert efficiencies(rows) == pytest.approx(printed, abs=5.1e-5)


@pytest.mark.parametrize(("rows", "count", "printed"), [(nr.MCS_64QAM, 29, MCS_64QAM), (nr.MCS_256QAM, 28, MCS_256QAM)])
def test_mcs_tables_are_as_printed(rows, count, printed):
    assert len(rows) == count
    assert [efficiencies(rows)[index] for index in printed] == pytest.approx(list(printed.values()), abs=5.1e-5)


@pytest.mark.parametrize("table", ["qam64", "qam256"])
@pytest.mark.parametrize("report", ["cqi", "mcs"])
def test_thresholds_and_efficiencies_rise_together(table, report):
    thresholds, bps_per_hz = nr.link_table(link(table=table, report=report))
    assert (np.diff(thresholds) > 0).all()
    assert (np.diff(bps_per_hz) > 0).all()
    assert thresholds.shape == bps_per_hz.shape


@pytest.mark.parametrize(("gap_db", "gap"), [("0 dB", 1.0), ("3 dB", 1.9952623149688795), ("10 dB", 10.0)])
def test_a_row_opens_where_shannon_s_law_less_the_gap_reaches_it(gap_db, gap):
    thresholds, bps_per_hz = nr.link_table(link(gap=gap_db, overhead=0.14))
    exact = np.array(efficiencies(nr.CQI_256QAM))
    assert thresholds == pytest.approx(gap * (2**exact - 1), rel=1e-12)
    assert bps_per_hz == pytest.approx(0.86 * exact, rel=1e-12)


def test_the_best_cqi_of_256qam_by_hand():
    """8 x 948 / 1024 = 7.40625 bit/s/Hz from an SNR of 1.99526 (2^7.40625 - 1) = 336.46, 25.27 dB."""
    thresholds, bps_per_hz = nr.link_table(link(gap="3 dB", overhead=0.14))
    assert thresholds[-1] == pytest.approx(336.46, abs=0.01)
    assert bps_per_hz[-1] == pytest.approx(6.369375, rel=1e-12)


def test_finer_reports_never_give_less():
    """Every CQI's code rate is among those of the MCS, but for the lowest."""
    for table, rows in (("qam64", nr.MCS_64QAM), ("qam256", nr.MCS_256QAM)):
        cqi = nr.link_table(link(table=table, report="cqi", overhead=0.0))[1]
        assert set(cqi[cqi >= efficiencies(rows)[0]]) <= set(efficiencies(rows))


def rate_bps(snr_db):
    """The rate of a packet in a simulation, at an SNR on 20 MHz with two layers and no overhead; 0 if none departs."""
    channel = {
        "path_loss": {"model": "constant", "loss": "0 dB"},
        "fading": {"model": "none"},
        "transmit_power": f"{snr_db:.12f} dBm",
        "receiver_gain": "0 dB",
        "noise_density": f"{-10 * math.log10(20e6):.12f} dBm/Hz",
        "link": {"model": "nr", "layers": 2, "gap": "0 dB", "overhead": 0.0},
    }
    gap = {"distribution": "constant", "value": "10 ms"}
    traffic = {"kind": "renewal", "gap": gap, "size": {"distribution": "constant", "value": "1 B"}}
    return max(rates_of(lone_slice(traffic, channel=channel, slots=100)), default=0)


@pytest.mark.parametrize("row", [0, 7, 14])
def test_a_simulated_link_steps_up_at_the_threshold(row):
    steps = [0.0, *efficiencies(nr.CQI_256QAM)]
    threshold_db = 10 * math.log10(2 ** steps[row + 1] - 1)
    assert rate_bps(threshold_db - 1e-6) == int(2 * 20e6 * steps[row])
    assert rate_bps(threshold_db + 1e-6) == int(2 * 20e6 * steps[row + 1])


def test_the_last_row_holds_however_strong_the_signal():
    assert rate_bps(100.0) == int(2 * 20e6 * 8 * 948 / 1024)
