"""The agency's door: watches folders, publishes what they hold, mirrors what others share."""
