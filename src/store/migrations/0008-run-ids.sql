-- A span that does not say its run has the trace's id there, though another span of the trace may say one for the run.
ALTER TABLE otel_traces {on_cluster}
    COMMENT COLUMN RunId 'Of the run that it is part of, as this span says; the trace id where it does not, even where another span of the trace does.';

ALTER TABLE tool_calls {on_cluster}
    COMMENT COLUMN RunId 'Of the run that it is part of, as this span says; the trace id where it does not, even where another span of the trace does.';
