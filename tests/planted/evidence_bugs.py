"""Bugs to plant for the promise `provable`: what would let a hub, an owner or an export cheat unseen.

As `bugs.py` has them. Most are found by the test of the attack that they would let pass.
"""

from tests.planted.bugs import SIMULATION, Bug

PROVABLE = f"{SIMULATION}/test_provable.py"
WITNESS = "tests/unit/node_witness"
MIRROR = "tests/unit/node_subscribe"
AUDIT = "tests/unit/audit"
HUB = "tests/unit/hub_services"


def bug(
    name: str,
    file: str,
    right: str,
    wrong: str,
    test: str,
    *,
    soak: bool = True,
    also: tuple[tuple[str, str, str], ...] = (),
) -> Bug:
    return Bug("provable", name, file, right, wrong, test, soak, also)


EVIDENCE_BUGS = (
    # What a mirror holds, and what it demands before a version is visible
    bug(
        "a mirror is given the proof of one registry statement only",
        "node/proofs.py",
        "    for leaf in proven.registries:\n        name",
        "    for leaf in proven.registries[:1]:\n        name",
        f"{PROVABLE}::test_provable_by_a_mirror_that_was_copied_away",
        soak=False,
    ),
    bug(
        "a leaf is believed without its proof",
        "node/proofs.py",
        "    _check_included(leaf, leaf_of(leaf, limits), checkpoint)\n    record",
        "    record",
        f"{MIRROR}/test_evidence.py::test_a_proof_for_another_leaf[LeafKind.VERSION]",
    ),
    bug(
        "what a logged record says is not compared",
        "node/proofs.py",
        "        if stated.get(name) != value or isinstance(stated.get(name), bool):",
        "        if False:",
        f"{MIRROR}/test_evidence.py::test_a_replayed_leaf_of_another_version",
    ),
    bug(
        "a withdrawn key goes on signing",
        "node/proofs.py",
        "                if self._indices[later.registry.seq] < index:",
        "                if False:",
        f"{MIRROR}/test_waiting_for_evidence.py"
        "::test_a_version_logged_after_its_key_was_withdrawn_is_refused",
        also=(
            (
                "node/proofs.py",
                "    order.check_policy(subject.policy, owner, policy.index)\n",
                "",
            ),
        ),
    ),
    bug(
        "a version comes in spite of an open alarm",
        "node/engine.py",
        "            self._refuse_while_alarmed()\n            hub = self.greet()",
        "            hub = self.greet()",
        "tests/unit/node_daemon/test_alarms.py::test_an_open_alarm_stops_new_versions_and_publishing_goes_on",
    ),
    # What a witness stands for
    bug(
        "a checkpoint is cosigned before it is kept",
        "node/witness/witness.py",
        "            look.history.promise(look.view.note)\n",
        "            line = cosign(text, name, key, look.now)\n"
        "            look.hub.add_cosignature(Note(text, (line,)).to_bytes())\n"
        "            look.history.promise(look.view.note)\n",
        f"{WITNESS}/test_killed.py::test_killed_at_any_step_it_never_stands_for_two_histories",
    ),
    bug(
        "after a decision a witness stands for another history",
        "node/witness/witness.py",
        "            if promised.size > look.history.size or"
        " look.history.root_at(promised.size) != promised.root:",
        "            if False:",
        f"{WITNESS}/test_decisions.py::test_after_a_decision_what_was_cosigned_still_binds",
    ),
    bug(
        "a proof of consistency is not checked",
        "node/witness/comparing.py",
        "            verify_consistency(first.size, second.size, proof, first.root, second.root)",
        "            pass",
        f"{WITNESS}/test_attacks.py::test_forked_log_before_the_leaves_are_read",
        soak=False,
    ),
    bug(
        "a log that has become smaller is not noticed",
        "node/witness/comparing.py",
        "        if newest.size < seen.size:",
        "        if False:",
        f"{WITNESS}/test_attacks.py::test_rolled_back_checkpoint",
    ),
    bug(
        "an opening that does not fit its leaf is taken",
        "security/tlog/leaf.py",
        "    if len(opening.nonce) != NONCE_BYTES or not hmac.compare_digest(_committing(opening), leaf):",
        "    if len(opening.nonce) != NONCE_BYTES:",
        f"{WITNESS}/test_attacks.py::test_wrong_opening",
    ),
    bug(
        "a gap in the own lane is not noticed",
        "node/witness/own_lane.py",
        "        if (each.lane_n, each.lane_prev) == (n + 1, prev):",
        "        if each.lane_n > n:",
        f"{WITNESS}/test_attacks.py::test_gap_in_a_lane[_left_out]",
    ),
    bug(
        "a registry statement that was not given is not missed",
        "node/witness/reading.py",
        "        for index, name in page.unknown(known):",
        "        for index, name in page.unknown({each for _, each in page.registries}):",
        f"{WITNESS}/test_attacks.py::test_hidden_registry",
    ),
    bug(
        "the hub's receipts are not held against its log",
        "node/witness/promises.py",
        "            if there == leaf_hash(receipt.leaf):",
        "            if True:",
        f"{WITNESS}/test_attacks.py::test_dropped_leaf_that_a_receipt_promised",
    ),
    bug(
        "a delivery is allowed whatever the policy says",
        "node/witness/own_lane.py",
        "            if any(decision.allowed for decision in decisions):",
        "            if True:",
        f"{WITNESS}/test_own_lane.py::test_delivery_not_allowed",
    ),
    # What an auditor proves
    bug(
        "a proof may have any length",
        "security/tlog/merkle.py",
        "    if len(proof) != inner + border:",
        "    if False:",
        "tests/unit/security/test_tlog_merkle.py::test_a_proof_holds_for_its_own_place_alone[3]",
    ),
    bug(
        "another forged checkpoint of the same log is not compared",
        "audit/history.py",
        "        if known is not None and known != small.root:",
        "        if False:",
        f"{AUDIT}/test_attacks.py::test_forked_log_of_different_sizes",
    ),
    bug(
        "a lane that somebody slipped a record into is whole",
        "audit/bundle/lanes.py",
        "            if place.prev != lane.commitment:",
        "            if False:",
        f"{AUDIT}/test_attacks.py::test_lane_place_slipped_in",
    ),
    bug(
        "the auditor does not ask the policy about a delivery",
        "audit/leaves.py",
        "    if not decision.allowed:",
        "    if False:",
        f"{AUDIT}/test_attacks.py::test_delivery_that_no_policy_allowed",
        soak=False,
    ),
    bug(
        "a revoked witness's cosignature is nobody's",
        "audit/witnesses.py",
        "    if misused:",
        "    if False:",
        f"{AUDIT}/test_attacks.py::test_cosignature_by_a_revoked_witness",
    ),
    bug(
        "a version that was logged after its key was withdrawn holds",
        "audit/positions.py",
        "        if positions[later.registry.seq] < place:",
        "        if False:",
        f"{AUDIT}/test_verify.py::test_what_is_logged_after_its_key_was_withdrawn_is_refused",
    ),
    # What a hub signs and gives away
    bug(
        "a history that was rewritten is signed",
        "hub/services/log/checkpoints.py",
        "        if before[0] > size or root_at(tiles, before[0]) != before[1]:",
        "        if False:",
        f"{HUB}/test_log_checkpoints.py::test_a_rewritten_history_is_never_signed[True]",
    ),
    bug(
        "an export opens others' deliveries to a partner",
        "hub/services/export/selection.py",
        "            .where(versions.c.dataset == dataset, table.c.partner == plan.audience)",
        "            .where(versions.c.dataset == dataset)",
        f"{HUB}/test_export.py::test_a_partner_gets_its_own_deliveries_and_what_it_may_discover_and_no_lane",
        soak=False,
    ),
    bug(
        "every witness may open every leaf",
        "hub/services/log/entries.py",
        "            sa.or_(leaves.c.lane_owner == partner, leaves.c.actor == partner),\n",
        "",
        f"{HUB}/test_log_entries.py::test_default_deny_no_opening_goes_to_whom_it_does_not_belong[vn-dgm]",
    ),
)
