"""What runs Syncline somewhere: service units, and the demonstration."""
