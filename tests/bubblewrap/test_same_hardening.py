"""The attack list, as on the third shelf."""

from __future__ import annotations

from same import same

OTHERWISE = {
    "test_the_network_namespace_has_loopback_only": "there is no /sys: test_attacks",
    "test_the_code_is_nobody_and_can_become_nobody_else": "test_attacks",
    "test_nothing_of_the_host_is_mounted": "the machine's own /usr is: test_attacks",
}
"""What only control groups or a container engine can do, and what holds here instead."""

globals().update(same("test_hardening", OTHERWISE))
