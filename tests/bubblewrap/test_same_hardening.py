"""The attack list, as on the third shelf."""

from __future__ import annotations

from same import same

OTHERWISE = {
    "network": {
        "test_the_network_namespace_has_loopback_only": "there is no /sys: test_attacks",
        "test_sockets_of_the_machine_are_in_no_namespace_of_ours": "the machine's own /run is not there, its folders are",
    },
    "privilege": {"test_the_code_is_nobody_and_can_become_nobody_else": "test_attacks"},
    "processes": {},
    "protocol": {},
    "planted": {},
}
"""By module, what only control groups or a container engine can do, and what holds here instead."""

for _module, _otherwise in OTHERWISE.items():
    globals().update(same(f"attacks/test_{_module}", _otherwise))
