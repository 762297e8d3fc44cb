"""What can be measured of activations, one definition a file."""
