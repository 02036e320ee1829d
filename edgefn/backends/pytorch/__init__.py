"""What the backends of PyTorch share: the record beside an artifact, example inputs, the session, recurrent layers."""
