// What a Relay component asks for: compiled against the schema, so that connections, ids and refetching fit.
import { graphql } from 'relay-runtime';

export const segments = graphql`
  fragment job_segments on Transcript
  @argumentDefinitions(first: { type: "Int", defaultValue: 50 }, after: { type: "String" })
  @refetchable(queryName: "jobSegmentsQuery") {
    segments(first: $first, after: $after) @connection(key: "job_segments") {
      edges { node { id start end text speaker { label name } } }
    }
  }
`;

export const page = graphql`
  query jobQuery($id: ID!) {
    node(id: $id) { ... on Job { state progress transcript { id ...job_segments } } }
  }
`;

export const watch = graphql`
  subscription jobWatchSubscription($id: ID!, $after: String) {
    jobEvents(jobId: $id, after: $after) { cursor job { id state stage progress } }
  }
`;
