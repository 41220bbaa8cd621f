"""Bugs to plant, for each promise at least one, with the test of that promise that must find it.

A bug is an exact text of a source file, and what a hasty hand would put in its place.
"""

from dataclasses import dataclass

SIMULATION = "tests/simulation"


@dataclass(frozen=True, slots=True)
class Bug:
    """`right` stands in `file` exactly once; with `wrong` in its place `test` must fail.

    `also` are further (file, right, wrong): a second line of defence that must fall too.
    """

    promise: str
    name: str
    file: str
    right: str
    wrong: str
    test: str
    soak: bool = False
    also: tuple[tuple[str, str, str], ...] = ()

    @property
    def edits(self) -> tuple[tuple[str, str, str], ...]:
        """Every (file, right, wrong)."""
        return ((self.file, self.right, self.wrong), *self.also)


BUGS = (
    Bug(
        promise="never_a_mix",
        name="the link is swapped before the version stands",
        file="node/subscribe/mirroring.py",
        right="            mirror.publish(name)\n        mirror.point(name)",
        wrong="            mirror.point(name)\n            mirror.publish(name)\n        mirror.point(name)",
        test=f"{SIMULATION}/test_never_a_mix.py::test_never_a_mix_at_every_durable_step",
    ),
    Bug(
        promise="never_a_mix",
        name="an edited file of the old version is linked into the new one",
        file="node/subscribe/write.py",
        right="        return now if now == then else self._anew(file)",
        wrong="        return now",
        test=f"{SIMULATION}/test_never_a_mix.py::test_never_a_mix_an_edit_between_the_look_and_the_link",
    ),
    Bug(
        promise="never_a_mix",
        name="content is not compared with what was signed",
        file="node/subscribe/write.py",
        right="        if hashlib.sha256(data).hexdigest() != part.file.sha256:",
        wrong="        if False:",
        test=f"{SIMULATION}/test_never_a_mix.py::test_never_a_mix_of_what_the_owner_did_not_sign",
        soak=True,
    ),
    Bug(
        promise="materialisable",
        name="a recipe is not checked before it is committed",
        file="hub/services/catalogue.py",
        right="                self._check_recipe(caller, verified.manifest, root)",
        wrong="                pass",
        test=f"{SIMULATION}/test_materialisable.py::test_materialisable_what_is_not_all_there_is_not_listed",
    ),
    Bug(
        promise="materialisable",
        name="the hub takes the sender's word for a chunk's id",
        file="hub/services/content.py",
        right="        self._store.put(unpack(frame, self._limits), raw_bytes_max=self._quota)",
        wrong="        self._store.put(unpack(frame, self._limits), checked=True)",
        test=(
            f"{SIMULATION}/test_materialisable.py::test_materialisable_a_chunk_that_is_not_its_id_is_refused"
        ),
        soak=True,
    ),
    Bug(
        promise="durable_ack",
        name="a pack is not flushed before it is acknowledged",
        file="sync/stores/packs.py",
        right=(
            "                durable.fsync(descriptor, self._files.path(pack))\n                extents[pack]"
        ),
        wrong="                extents[pack]",
        test=f"{SIMULATION}/test_durable_ack.py::test_durable_ack_chunks_survive_a_power_cut[plain]",
    ),
    Bug(
        promise="durable_ack",
        name="a new pack's name is not flushed",
        file="sync/stores/packs.py",
        right="        durable.fsync_dir(self._files.directory)\n        return extents",
        wrong="        return extents",
        test=f"{SIMULATION}/test_durable_ack.py::test_durable_ack_chunks_survive_a_power_cut[plain]",
        soak=True,
    ),
    Bug(
        promise="durable_ack",
        name="frames are acknowledged before they are durable",
        file="hub/services/content.py",
        right="            self._store.commit()\n            self._durable = frames",
        wrong="            self._durable = frames",
        test=f"{SIMULATION}/test_durable_ack.py::test_durable_ack_chunks_survive_a_power_cut[plain]",
        soak=True,
    ),
    Bug(
        promise="durable_ack",
        name="SQLite is asked for speed, not for safety",
        file="hub/storage/database.py",
        right='    "PRAGMA synchronous = FULL",',
        wrong='    "PRAGMA synchronous = NORMAL",',
        test=f"{SIMULATION}/test_durable_ack.py::test_durable_ack_every_database_flushes_each_commit",
    ),
    Bug(
        promise="converges",
        name="a statement is not kept before it is sent",
        file="node/publish/statements.py",
        right=(
            "        self._records.journal(statement, changes)\n"
            "        self._send_version(statement, reoffer)"
        ),
        wrong="        self._send_version(statement, reoffer)",
        test=f"{SIMULATION}/test_converges.py::test_converges_after_a_lost_answer",
    ),
    Bug(
        promise="converges",
        name="whoever stands on some version looks no further",
        file="node/subscribe/mirroring.py",
        right="        if entry.manifest_id == self.row.applied_id and self._stands(mirror):",
        wrong="        if self.row.applied_id and self._stands(mirror):",
        test=f"{SIMULATION}/test_converges.py::test_converges[0]",
        soak=True,
    ),
    Bug(
        promise="resumes",
        name="everything under way is sent again without asking",
        file="sync/transfer.py",
        right="        self._wait_first([chunk for frame in self._in_flight for chunk in frame.offered])",
        wrong=(
            "        self._ready.extendleft(reversed([c for frame in self._in_flight"
            " for c in frame.offered]))"
        ),
        test=f"{SIMULATION}/test_resumes.py::test_resumes_uploading[arrived]",
    ),
    Bug(
        promise="resumes",
        name="what was staged before is not looked at",
        file="node/subscribe/assemble.py",
        right="        if self._resumed:\n            self._resume(part, walker, table)",
        wrong="        if False:\n            self._resume(part, walker, table)",
        test=f"{SIMULATION}/test_resumes.py::test_resumes_downloading[many files-arrived]",
        soak=True,
    ),
    Bug(
        promise="no_silent_delete",
        name="what became a link counts as absent",
        file="node/publish/observe.py",
        right="            self._held(known, item.reason)",
        wrong="            self._absent(known)",
        test=f"{SIMULATION}/test_no_silent_delete.py::test_no_silent_delete_at_the_source[became_a_link]",
    ),
    Bug(
        promise="no_silent_delete",
        name="a folder is the same folder wherever it is",
        file="node/folder.py",
        right="        return (self.inode, self.filesystem) == (other.inode, other.filesystem)",
        wrong="        return self.filesystem == other.filesystem",
        test=f"{SIMULATION}/test_no_silent_delete.py::test_no_silent_delete_at_the_source[another_disk]",
        soak=True,
    ),
    Bug(
        promise="default_deny",
        name="bytes leave the owner whatever the rules say",
        file="node/publish/tools.py",
        right='        return granted or self.section.upload == "always"',
        wrong="        return True",
        test=(
            f"{SIMULATION}/test_default_deny.py"
            "::test_default_deny_no_data_leave_the_owner_before_a_rule_grants_read[not yet]"
        ),
    ),
    Bug(
        promise="default_deny",
        name="a dataset that one may not know of is refused in other words",
        file="hub/services/sharing.py",
        right=(
            "        if action != DISCOVER and self.decide(caller.partner,"
            " dataset, DISCOVER, connection).allowed:"
        ),
        wrong="        if decision.policy_seq:",
        test=f"{SIMULATION}/test_default_deny.py::test_default_deny_hidden_and_unknown_are_one_answer",
    ),
    Bug(
        promise="default_deny",
        name="discover is enough for bytes",
        file="security/rules.py",
        right="        if rule.effect == PERMISSION and not _PERMITTED_BY[action].isdisjoint(rule.actions):",
        wrong="        if rule.effect == PERMISSION:",
        test=f"{SIMULATION}/test_default_deny.py::test_default_deny_at_the_hub_whatever_the_rule[discover]",
        soak=True,
    ),
    Bug(
        promise="no_escape",
        name="links in the mirror are followed",
        file="node/materialise.py",
        right="_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC",
        wrong="_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC",
        test=(
            f"{SIMULATION}/test_no_escape.py::test_no_escape_links_that_somebody_plants[between-link_staging]"
        ),
    ),
    Bug(
        promise="no_escape",
        name="a name may go up",
        file="core/names.py",
        right='        if part in (".", ".."):',
        wrong='        if part == ".":',
        test=f"{SIMULATION}/test_no_escape.py::test_no_escape_a_signed_name_that_leaves_the_mirror",
        also=(
            (
                "node/materialise.py",
                '            if part in ("", ".", ".."):',
                '            if part in ("", "."):',
            ),
        ),
    ),
)
