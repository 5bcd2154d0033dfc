"""Channels from the base station to its users."""

from functools import cache

from hypothesis import strategies as st

from netsim.testing.strategies.quantities import Content, mapping

ONE_MBPS_PER_PRB: Content = {
    "transmit_power": "70 dBm",
    "receiver_gain": "0 dB",
    "noise_density": "-100 dBm/Hz",
    "path_loss": {"model": "constant", "loss": "100 dB"},
    "fading": {"model": "none"},
    "link": {"model": "shannon", "layers": 5, "ceiling": 1.0},
}
"""Every user is far above the ceiling of 5 bit/s/Hz: a resource block of 200 kHz carries exactly 1 Mbit/s."""


@cache
def channels() -> st.SearchStrategy[Content]:
    """The ``channel`` of a scenario: every link, fading, shadowing and built-in path loss, from good to hopeless.

    A third of them are the one on which a resource block of 200 kHz carries exactly 1 Mbit/s.
    """
    general = mapping(
        {
            "transmit_power": st.sampled_from(["46 dBm", "20 dBm"]),
            "power": st.sampled_from(["spread", "full"]),
            "cell_radius": st.sampled_from(["40 m", "1 km"]),
            "path_loss": st.sampled_from(
                [{"model": "log-distance"}, {"model": "umi-38901"}, {"model": "constant", "loss": "120 dB"}]
            ),
            "fading": _fadings(),
            "shadowing": st.sampled_from(
                [{"sigma": "0 dB"}, {"sigma": "8 dB", "per": "user"}, {"sigma": "6 dB", "per": "slot"}]
            ),
            "link": _links(),
        }
    )
    return st.one_of(general, general, st.just(ONE_MBPS_PER_PRB))


def _fadings() -> st.SearchStrategy[Content]:
    rayleigh: Content = {"model": "rayleigh"}
    return st.sampled_from([{"model": "none"}, rayleigh, rayleigh, {"model": "jakes", "doppler": "50 Hz"}])


def _links() -> st.SearchStrategy[Content]:
    return st.one_of(
        mapping({"model": "shannon", "layers": st.integers(1, 4)}),
        st.just({"model": "shannon", "layers": 4, "log": "log10", "ceiling": 1.5}),
        mapping(
            {
                "model": "nr",
                "table": st.sampled_from(["qam64", "qam256"]),
                "report": st.sampled_from(["cqi", "mcs"]),
                "overhead": st.sampled_from([0.0, 0.14]),
            }
        ),
    )
