"""What tests of several families share."""
