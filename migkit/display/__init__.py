"""Drawing: frames, verdicts and progress as HTML, text and plots; pure, and below every result that draws itself."""
