"""The operator's commands, a file each; `main` is `syncline-hub`."""
