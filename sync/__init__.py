"""What is exchanged, and how it moves: manifests, inventories, recipes, chunks, frames, stores."""
