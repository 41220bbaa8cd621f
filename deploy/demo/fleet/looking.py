"""Where to look in the made-up fleet, and why."""

#: Paths of pages, in the order in which they tell the story.
WORTH_LOOKING_AT = {
    "": "eleven agencies: one silent, one stuck, a full disk, an alarm, a newcomer who waits for approval",
    "datasets": "who holds which version, and what is late",
    "transfers": "what moves now, and what ended within the hour",
    "map": "where the data are",
    "events": "who did what",
    "log": "checkpoints, witnesses, and the alarm",
    "storage": "disks, quotas, when they are full",
}
