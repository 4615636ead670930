"""What a person is told by mail, messenger or webhook: each once for its cause."""
