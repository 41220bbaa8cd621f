"""Bugs to plant for what the operator is promised: the pages tell the truth and let nobody in who may not,
alerts are told once, backups read back, and who left has left.

As `bugs.py` has them.
"""

from tests.planted.bugs import Bug

OVERVIEW = "tests/unit/hub_overview"
WEB = "tests/unit/hub_web"
ALERTS = "tests/unit/hub_alerts"
BACKUP = "tests/unit/hub_backup"


def bug(name: str, file: str, right: str, wrong: str, test: str, *, soak: bool = False) -> Bug:
    return Bug("operator", name, file, right, wrong, test, soak)


OPERATOR_BUGS = (
    # What is shown is true
    bug(
        "a silent node is shown green",
        "hub/overview/node_state.py",
        '    if is_silent(seen.time, now, limits):\n        return "silent"\n',
        "",
        f"{OVERVIEW}/test_fleet_view.py::test_a_node_that_stops_reporting_is_noticed_and_shows_no_rate",
    ),
    bug(
        "withheld is shown as behind",
        "hub/overview/holders.py",
        '        return ("withheld" if granted.may_discover else "not shared"), None, None',
        '        return ("behind" if granted.may_discover else "not shared"), None, None',
        f"{OVERVIEW}/test_withheld_is_not_behind.py::test_withheld_is_not_behind",
    ),
    bug(
        "a node that says that it holds a version is believed without its acknowledgement",
        "hub/overview/holders.py",
        "    if held is not None and held.seq >= head.seq:",
        "    if (held and held.seq >= head.seq) or (mirror and mirror.seq == head.seq):",
        f"{OVERVIEW}/test_withheld_is_not_behind.py::test_a_report_that_it_holds_is_no_acknowledgement",
        soak=True,
    ),
    bug(
        "a negative size in a report is believed",
        "hub/overview/claims.py",
        "    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= BYTES_MAX:",
        "    if isinstance(value, bool) or not isinstance(value, int) or value > BYTES_MAX:",
        f"{OVERVIEW}/test_hostile_reports.py::test_a_size_that_is_none_counts_as_not_said[-1]",
    ),
    # Who may do what
    bug(
        "roles are not looked at",
        "hub/web/guard.py",
        "        if session is not None and not rule.allows(session):",
        "        if session is None and not rule.is_open:",
        f"{WEB}/test_access.py::test_each_role_may_what_it_may_and_nothing_else[/acts/revoke-auditor]",
    ),
    bug(
        "everybody who is signed in may export",
        "hub/web/access.py",
        '    "/export": Rule("download", _AUDITOR),',
        '    "/export": Rule("download"),',
        f"{WEB}/test_access.py::test_each_role_may_what_it_may_and_nothing_else[/export-operator]",
        soak=True,
    ),
    bug(
        "a form's token is asked for and not compared",
        "hub/web/forms.py",
        '    if not token or not hmac.compare_digest(given, token.encode("ascii")):',
        "    if not token or not given:",
        f"{WEB}/test_acts.py::test_the_token_of_another_session_does_nothing",
    ),
    # What is told
    bug(
        "alerts are forgotten, and told again, when the hub starts",
        "hub/alerts/watch.py",
        "        self.book = AlertBook(hub.context, self._repeat_s)\n",
        "        self.book = AlertBook(hub.context, self._repeat_s)\n"
        "        with hub.context.database.write() as connection:\n"
        '            connection.exec_driver_sql("DELETE FROM alerts")\n',
        f"{ALERTS}/test_telling.py::test_a_restart_tells_nothing_twice_and_forgets_nothing",
    ),
    bug(
        "an agency is told of its quota when it is used up",
        "node/status/model.py",
        "QUOTA_WARN_SHARE = 0.9\n",
        "QUOTA_WARN_SHARE = 1.0\n",
        "tests/unit/node_daemon/test_engine.py::test_loud_an_agency_is_warned_before_its_quota_is_used_up",
    ),
    bug(
        "what a quota refuses is sent first",
        "node/publish/hub_room.py",
        "        return info.used_bytes + most > info.quota_bytes",
        "        return False",
        "tests/unit/node_publish/test_hub_room.py"
        "::test_loud_what_the_quota_would_refuse_is_refused_before_its_first_byte_is_sent",
    ),
    bug(
        "a chunk that two files have needs room twice",
        "node/publish/hub_room.py",
        "        most = new_bytes + chunks",
        "        if info.used_bytes + new_bytes > info.quota_bytes:\n"
        "            raise _no_room(info.used_bytes, info.quota_bytes, new_bytes)\n"
        "        most = new_bytes + chunks",
        "tests/unit/node_publish/test_hub_room.py"
        "::test_what_is_at_the_hub_already_or_twice_in_the_folder_needs_no_room_twice",
    ),
    bug(
        "a client whose first answer was cut off by a refusal waits for ever",
        "hub/rpc/calls.py",
        "        await context.send_initial_metadata(())\n",
        "",
        "tests/unit/hub_rpc/test_streams.py"
        "::test_a_refusal_reaches_its_client_when_the_first_answer_is_cut_off_by_it",
    ),
    bug(
        "the operator is told of a quota when it is used up",
        "hub/alerts/rules.py",
        "_QUOTA_NEAR = 0.9\n",
        "_QUOTA_NEAR = 1.0\n",
        f"{ALERTS}/test_rules.py::test_a_quota_warns_before_it_is_full",
        soak=True,
    ),
    # What is kept, and who is gone
    bug(
        "what a backup wrote is not read back",
        "hub/backup/making.py",
        "                bad = _read_back(task, writer, known, progress)",
        "                bad: list[Stored] = []",
        f"{BACKUP}/test_backup.py::test_a_damaged_object_is_found_and_written_anew",
    ),
    bug(
        "a restored hub does not say that it was restored",
        "hub/backup/restoring.py",
        "        if not wanted.nothing_lost:\n            marker.leave(layout, snapshot)\n",
        "",
        f"{BACKUP}/test_restore.py::test_a_restored_hub_signs_nothing_before_its_log_is_continued",
    ),
    bug(
        "the certificate of a node that left stays good",
        "hub/services/departures.py",
        "        connection.execute(table.update().where(table.c.number == member.enrolment)"
        ".values(state=LEFT))\n",
        "",
        "tests/unit/hub_services/test_departures.py"
        "::test_whoever_left_may_call_nothing_and_is_struck_from_the_registry",
    ),
)
