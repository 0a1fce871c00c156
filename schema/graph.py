"""The graph on one screen: what can be asked, changed and watched."""

from typing import Any

import strawberry
from strawberry.printer import print_schema
from strawberry.schema.config import StrawberryConfig

from schema import events
from schema.account.tokens import (
    CreateAccessTokenResult,
    RevokeAccessTokenResult,
    create_access_token,
    revoke_access_token,
)
from schema.account.viewer import Viewer, viewer
from schema.base import errors
from schema.base.connections import Connection
from schema.base.events import Event
from schema.base.fields import field, subscription
from schema.base.nodes import Node
from schema.base.scalars import scalar_map
from schema.bundles import create_export_bundle
from schema.capabilities import Capabilities, capabilities
from schema.exports import CreateExportResult, DeleteExportResult, Export, create_export, delete_export, export
from schema.jobs.estimates import EstimateResult, estimate
from schema.jobs.events import JobEvent, job_events
from schema.jobs.reruns import DeleteJobResult, RerunStageResult, RetryJobResult, delete_job, rerun_stage, retry_job
from schema.jobs.submissions import CreateJobResult, create_job
from schema.jobs.types import CancelJobResult, Job, cancel_job, job, job_list
from schema.jobs.updates import UpdateJobResult, update_job
from schema.media import (
    CreateUploadResult,
    DeleteMediaResult,
    Media,
    UploadSession,
    create_upload,
    delete_media,
    recording,
    upload,
)
from schema.nodes import node, nodes
from schema.transcripts.edits import (
    EditTranscriptResult,
    confirm_words,
    create_speaker,
    edit_segment,
    edit_segments,
    merge_segments,
    merge_speakers,
    rename_speaker,
    revert_transcript,
    split_segment,
)
from schema.transcripts.search import SearchHit, find
from schema.transcripts.types import Transcript, transcript, transcript_list
from schema.transcripts.updates import UpdateTranscriptResult, update_transcript
from schema.webhooks import mutations as webhooks


@strawberry.type(description="Everything that can be asked.")
class Query:
    """The root of queries."""

    node: Node | None = field("One thing by its id; null when there is none that the viewer may see.", node)
    nodes: list[Node | None] = field("Things by their ids, in the same order; at most 100.", nodes)
    viewer: Viewer = field("The viewer: the person or the program that asks.", viewer)
    capabilities: Capabilities = field("The abilities of this installation.", capabilities)
    job: Job | None = field("One job.", job, scope="jobs:read")
    jobs: Connection[Job] = field("The viewer's jobs.", job_list, scope="jobs:read")
    transcript: Transcript | None = field("One transcript.", transcript, scope="transcripts:read")
    transcripts: Connection[Transcript] = field(
        "The viewer's transcripts, newest first.", transcript_list, scope="transcripts:read"
    )
    search: Connection[SearchHit] = field(
        "Places in the viewer's transcripts where something is said: the newest first, by time within each.",
        find,
        scope="transcripts:read",
    )
    export: Export | None = field("One export.", export, scope="exports:read")
    media: Media | None = field("One recording.", recording, scope="jobs:read")
    estimate: EstimateResult = field(
        "A dry run of createJob: how long it would take, and what would go wrong.", estimate, scope="jobs:write"
    )
    upload: UploadSession | None = field("One upload; null also when its time is over.", upload, scope="jobs:read")


@strawberry.type(
    description="Everything that can be changed. Each answer is a union: the payload, or an error that tells why not."
)
class Mutation:
    """The root of mutations."""

    create_upload: CreateUploadResult = field(
        "Announces a file; its bytes then go to the upload's URL.", create_upload, scope="jobs:write"
    )
    create_job: CreateJobResult = field("Asks for a transcript of a recording.", create_job, scope="jobs:write")
    cancel_job: CancelJobResult = field("Cancels a job that has not ended.", cancel_job, scope="jobs:write")
    retry_job: RetryJobResult = field(
        "Queues a FAILED, CANCELED or PARTIAL job again; it resumes behind the last finished stage.",
        retry_job,
        scope="jobs:write",
    )
    rerun_stage: RerunStageResult = field(
        "Does one stage of a finished job again, such as DIARIZE with another number of speakers.",
        rerun_stage,
        scope="jobs:write",
    )
    delete_job: DeleteJobResult = field(
        "Deletes a job with its transcript, exports and, unless another job uses it, its recording.",
        delete_job,
        scope="jobs:write",
    )
    edit_segment: EditTranscriptResult = field(
        "Corrects what a segment says, or who says it.", edit_segment, scope="transcripts:write"
    )
    split_segment: EditTranscriptResult = field("Cuts a segment in two.", split_segment, scope="transcripts:write")
    merge_segments: EditTranscriptResult = field(
        "Makes one of segments that follow each other.", merge_segments, scope="transcripts:write"
    )
    rename_speaker: EditTranscriptResult = field("Gives a speaker a name.", rename_speaker, scope="transcripts:write")
    merge_speakers: EditTranscriptResult = field(
        "Makes several speakers one.", merge_speakers, scope="transcripts:write"
    )
    edit_segments: EditTranscriptResult = field(
        "Corrects many segments as one revision.", edit_segments, scope="transcripts:write"
    )
    confirm_words: EditTranscriptResult = field(
        "Records that a person found words right.", confirm_words, scope="transcripts:write"
    )
    create_speaker: EditTranscriptResult = field(
        "Adds a speaker who was not told apart.", create_speaker, scope="transcripts:write"
    )
    revert_transcript: EditTranscriptResult = field(
        "Makes a transcript what it was at an earlier revision; nothing in between is lost.",
        revert_transcript,
        scope="transcripts:write",
    )
    create_access_token: CreateAccessTokenResult = field(
        "Makes an access token for a program. Its secret is shown this once.", create_access_token, scope="account"
    )
    revoke_access_token: RevokeAccessTokenResult = field(
        "Makes an access token void, within a second; what is open to it is closed within ten.",
        revoke_access_token,
        scope="account",
    )
    create_export: CreateExportResult = field(
        "Asks for a document made of a transcript.", create_export, scope="exports:write"
    )
    create_export_bundle: CreateExportResult = field(
        "Asks for a ZIP of documents made of many transcripts, with a manifest.",
        create_export_bundle,
        scope="exports:write",
    )
    update_job: UpdateJobResult = field("Changes a job's tags, metadata or priority.", update_job, scope="jobs:write")
    update_transcript: UpdateTranscriptResult = field(
        "Changes a transcript's title or language.", update_transcript, scope="transcripts:write"
    )
    delete_media: DeleteMediaResult = field(
        "Deletes a recording's bytes; jobs and transcripts stay.", delete_media, scope="jobs:write"
    )
    delete_export: DeleteExportResult = field("Deletes an export with its file.", delete_export, scope="exports:write")
    create_webhook_endpoint: webhooks.CreateWebhookEndpointResult = field(
        "Makes a receiver of webhooks. Its secret is shown this once.",
        webhooks.create_webhook_endpoint,
        scope="account",
    )
    update_webhook_endpoint: webhooks.UpdateWebhookEndpointResult = field(
        "Changes a receiver's address, events or state.", webhooks.update_webhook_endpoint, scope="account"
    )
    rotate_webhook_secret: webhooks.CreateWebhookEndpointResult = field(
        "Gives a receiver another secret; for a day, the one before signs, too.",
        webhooks.rotate_webhook_secret,
        scope="account",
    )
    rotate_job_webhook_secret: webhooks.RotateJobWebhookSecretResult = field(
        "Makes the secret that signs what is told to jobs' own addresses (`webhookUrl`), or another one.",
        webhooks.rotate_job_webhook_secret,
        scope="account",
    )
    delete_webhook_endpoint: webhooks.DeleteWebhookEndpointResult = field(
        "Deletes a receiver with its deliveries.", webhooks.delete_webhook_endpoint, scope="account"
    )
    test_webhook_endpoint: webhooks.ReplayWebhookDeliveryResult = field(
        'Sends an example of an event, whose data is `{"test": true}`.',
        webhooks.send_test,
        scope="account",
    )
    replay_webhook_delivery: webhooks.ReplayWebhookDeliveryResult = field(
        "Sends a message again, with the same id and the same bytes.",
        webhooks.replay_webhook_delivery,
        scope="account",
    )


@strawberry.type(description="Everything that can be watched.")
class Subscription:
    """The root of subscriptions."""

    job_events: JobEvent = subscription(
        "A snapshot, then everything recorded after `after`, then live; ends when the job has ended. "
        "Reconnect with the last cursor seen: no gap, no repeat, and a cursor never goes back.",
        job_events,
        scope="jobs:read transcripts:read",
    )
    transcript_events: Event = subscription(
        "Events of one transcript and its exports: corrections by anybody, documents that are ready. "
        "It ends only when the transcript is deleted.",
        events.transcript_events,
        scope="transcripts:read",
    )
    viewer_events: Event = subscription(
        "Everything of the viewer's: snapshots of the jobs that have not ended, then whatever happens to jobs "
        "(percentages too), transcripts and exports. It never ends.",
        events.viewer_events,
        scope="jobs:read transcripts:read",
    )


def build_schema(**options: Any) -> strawberry.Schema:
    """Return the schema; options go to Strawberry."""
    return strawberry.Schema(
        Query,
        Mutation,
        Subscription,
        types=events.KINDS,
        config=StrawberryConfig(scalar_map=scalar_map(), enable_experimental_incremental_execution=True),
        exception_handlers=errors.handlers(),
        **options,
    )


def sdl() -> str:
    """Return the schema in GraphQL's own language."""
    return print_schema(build_schema())
