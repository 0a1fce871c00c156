"""The GraphQL documents that the command line sends. A test holds them to the schema."""

ERROR = "... on UserError { code message details correlationId }"
SEGMENT = "id start end text speaker { label name }"

CREATE_UPLOAD = f"""
mutation CreateUpload($input: CreateUploadInput!) {{
  createUpload(input: $input) {{
    ... on CreateUploadPayload {{ upload {{ id url }} }}
    {ERROR}
  }}
}}
"""

CREATE_JOB = f"""
mutation CreateJob($input: CreateJobInput!) {{
  createJob(input: $input) {{
    ... on CreateJobPayload {{ job {{ id }} }}
    ... on QueueFullError {{ retryAfterSeconds }}
    {ERROR}
  }}
}}
"""

CANCEL_JOB = f"""
mutation CancelJob($id: ID!) {{
  cancelJob(id: $id) {{
    ... on CancelJobPayload {{ job {{ id state }} }}
    {ERROR}
  }}
}}
"""

JOB_EVENTS = f"""
subscription JobEvents($jobId: ID!, $after: String) {{
  jobEvents(jobId: $jobId, after: $after) {{
    __typename
    cursor
    job {{
      id state stage progress etaSeconds queuePosition
      problems {{ code message stage remedy }}
      transcript {{ id }}
    }}
    ... on StageChanged {{ report {{ stage state seconds }} }}
    ... on SegmentsAppended {{ segments {{ {SEGMENT} }} }}
    ... on SegmentsRevised {{ segments {{ {SEGMENT} }} }}
  }}
}}
"""

SEGMENTS = f"""
query Segments($id: ID!, $after: String) {{
  transcript(id: $id) {{
    language
    durationSeconds
    speakers {{ label name seconds wordCount }}
    segments(first: 100, after: $after) {{
      edges {{ node {{ {SEGMENT} }} }}
      pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}
"""

CREATE_EXPORT = f"""
mutation CreateExport($input: CreateExportInput!) {{
  createExport(input: $input) {{
    ... on CreateExportPayload {{ export {{ id }} }}
    {ERROR}
  }}
}}
"""

EXPORT = """
query Export($id: ID!) {
  export(id: $id) { state filename downloadUrl problem { code message remedy } }
}
"""
