// The names of metrics and log fields, in one tree, and the logger's shape. Nothing here sends anything.

import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What every part may ask of a logger; pino fits. Fields never hold a payload or a secret. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A gauge of what changes all the time: it is asked when somebody looks. */
export class AskedGauge {
  ask: () => number = () => 0;

  constructor(registry: Registry, options: { readonly name: string; readonly help: string }) {
    const gauge: Gauge = new Gauge({ ...options, registers: [registry], collect: () => gauge.set(this.ask()) });
  }
}

interface Cell {
  count: number;
}

/** Names that a NamedCounter has series of its own for. */
const MAX_NAMED = 100;
/** The name of the series of all others: no context has the empty name, so that it is nobody's. */
const OTHERS = { context: '', name: 'other' };

/**
 * Counts by names that clients make up, in their contexts: the first hundred have a series each, all others are counted in one. To
 * count costs no more than to find the name; series are made when somebody looks.
 */
export class NamedCounter {
  readonly #contexts = new Map<string, Map<string, Cell>>();
  readonly #others: Cell = { count: 0 };
  #named = 0;

  constructor(
    registry: Registry,
    options: { readonly name: string; readonly help: string; readonly labelNames: readonly ['context', string] },
  ) {
    const [, label] = options.labelNames;
    const counter: Counter = new Counter({
      ...options,
      registers: [registry],
      collect: () => {
        counter.reset();
        for (const { context, name, count } of this.#counts()) counter.inc({ context, [label]: name }, count);
      },
    });
  }

  inc(context: string, name: string, by = 1): void {
    const cell = this.#contexts.get(context)?.get(name) ?? this.#added(context, name);
    cell.count += by;
  }

  #added(context: string, name: string): Cell {
    if (this.#named === MAX_NAMED) return this.#others;
    this.#named += 1;
    const cell = { count: 0 };
    const names = this.#contexts.get(context) ?? new Map<string, Cell>();
    this.#contexts.set(context, names.set(name, cell));
    return cell;
  }

  *#counts(): Generator<{ readonly context: string; readonly name: string; readonly count: number }> {
    for (const [context, names] of this.#contexts)
      for (const [name, { count }] of names) yield { context, name, count };
    if (this.#others.count > 0) yield { ...OTHERS, count: this.#others.count };
  }
}

/** What a gauge of many names tells of one of them. */
export interface NamedValue<Label extends string> {
  readonly labels: Readonly<Record<Label, string>>;
  readonly value: number;
}

/**
 * A gauge by names that clients make up, which is asked when somebody looks: the first hundred have a series each, of all others the greatest
 * value is told, under names that are nobody's.
 */
export class NamedGauge<Label extends string> {
  ask: () => Iterable<NamedValue<Label>> = () => [];

  constructor(
    registry: Registry,
    options: { readonly name: string; readonly help: string; readonly labelNames: readonly Label[] },
  ) {
    const { labelNames } = options;
    const others = Object.fromEntries(labelNames.map((label) => [label, label.endsWith('context') ? '' : 'other']));
    const gauge: Gauge = new Gauge({
      ...options,
      registers: [registry],
      collect: () => {
        gauge.reset();
        const values = [...this.ask()];
        for (const { labels, value } of values.slice(0, MAX_NAMED)) gauge.set(labels, value);
        const rest = values.slice(MAX_NAMED).map(({ value }) => value);
        if (rest.length > 0)
          gauge.set(
            others,
            rest.reduce((most, value) => Math.max(most, value)),
          );
      },
    });
  }
}

/** The metrics of one instance. Names are public: dashboards rely on them. */
export class Metrics {
  readonly registry = new Registry();
  /** Events by what their push did: occurred, duplicate, or refused with a reason. */
  readonly pushes = this.#counter('madeleine_pushes_total', 'Events pushed, by outcome.', ['outcome']);
  /** Events that occurred, by topic and by stream. */
  readonly topicEvents = new NamedCounter(this.registry, {
    name: 'madeleine_topic_events_total',
    help: 'Events that this instance committed, by topic.',
    labelNames: ['context', 'topic'],
  });
  /** Events that were discarded, as nobody registered their topic. */
  readonly discardedEvents = new NamedCounter(this.registry, {
    name: 'madeleine_discarded_events_total',
    help: 'Events that this instance discarded as nobody registered their topic, by topic.',
    labelNames: ['context', 'topic'],
  });
  readonly streamEvents = new NamedCounter(this.registry, {
    name: 'madeleine_stream_events_total',
    help: 'Events that this instance committed, by stream.',
    labelNames: ['context', 'stream'],
  });
  /** Pushes that the schema of their topic refused. */
  readonly schemaRejections = new NamedCounter(this.registry, {
    name: 'madeleine_schema_rejections_total',
    help: 'Pushes that did not fit the schema of their topic, by topic.',
    labelNames: ['context', 'topic'],
  });
  readonly groupSize = new Histogram({
    name: 'madeleine_group_events',
    help: 'Events in a committed group.',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
    registers: [this.registry],
  });
  readonly commitSeconds = new Histogram({
    name: 'madeleine_group_commit_seconds',
    help: 'Time from taking a group to its durable commit.',
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
    registers: [this.registry],
  });
  readonly groupFailures = this.#counter('madeleine_group_failures_total', 'Groups that were not committed, by kind.', [
    'kind',
  ]);
  readonly tailPosition = this.#gauge('madeleine_tail_position', 'Newest position that readers may see.', []);
  readonly tailBytes = this.#gauge(
    'madeleine_tail_bytes',
    'Bytes of events kept in memory for readers at the head.',
    [],
  );
  readonly tailWaiters = this.#gauge('madeleine_tail_waiters', 'Readers and consumers that wait for new events.', []);
  readonly outgoingBytes = new AskedGauge(this.registry, {
    name: 'madeleine_outgoing_bytes',
    help: 'Bytes of answers of streams that wait for their clients to read.',
  });
  readonly consumerOffset = this.#gauge('madeleine_consumer_offset', 'Offset of a consumer run here.', [
    'context',
    'consumer',
  ]);
  readonly consumerLag = this.#gauge(
    'madeleine_consumer_lag',
    'Head minus offset of a consumer run here, in positions.',
    ['context', 'consumer'],
  );
  readonly consumerPending = this.#gauge(
    'madeleine_consumer_pending',
    'Matching events that are not acknowledged, of a consumer run here; exact to 1,000, else at least so many.',
    ['context', 'consumer'],
  );
  readonly consumerInFlight = this.#gauge(
    'madeleine_consumer_in_flight',
    'Events delivered and not acknowledged, of a consumer run here.',
    ['context', 'consumer'],
  );
  readonly consumerParked = this.#gauge(
    'madeleine_consumer_parked',
    'Parked events of a consumer run here that has, or had, any.',
    ['context', 'consumer'],
  );
  readonly consumerExpiredUnread = this.#gauge(
    'madeleine_consumer_expired_unread',
    'Events of a consumer run here that were deleted before it had passed them, if any were.',
    ['context', 'consumer'],
  );
  readonly consumerPaused = this.#gauge('madeleine_consumer_paused', '1 while a consumer run here is paused.', [
    'context',
    'consumer',
  ]);
  readonly verdicts = this.#counter('madeleine_verdicts_total', 'Events rejected by members, by verdict.', ['verdict']);
  readonly parkedChanges = this.#counter(
    'madeleine_parked_changes_total',
    'Parked events that people replayed, discarded or edited, by action.',
    ['action'],
  );
  readonly consumers = this.#gauge(
    'madeleine_consumers',
    'Consumers run here, by whether they have series of their own.',
    ['series'],
  );
  readonly consumersLeftOutLag = this.#gauge(
    'madeleine_consumers_left_out_lag',
    'Greatest lag of a consumer run here that has no series of its own, in positions.',
    [],
  );
  /** Consumers that stood still though they could go on, by how they were sent on their way. */
  readonly consumerStalls = this.#counter(
    'madeleine_consumer_stalls_total',
    'Consumers that stood still though they could go on, by how they were mended.',
    ['mended'],
  );
  /** Calls to cawins' receivers, by what became of them. */
  readonly attempts = this.#counter(
    'madeleine_callback_attempts_total',
    'Callbacks attempted, by outcome and reason.',
    ['outcome', 'reason'],
  );
  /** Events that this instance took the content from. */
  readonly erasedEvents = new Counter({
    name: 'madeleine_erased_events_total',
    help: 'Events whose content this instance erased.',
    registers: [this.registry],
  });
  readonly statisticsLag = new AskedGauge(this.registry, {
    name: 'madeleine_statistics_lag',
    help: 'Newest position minus the one up to which statistics are counted, by whichever instance.',
  });
  readonly retentionEvents = new NamedCounter(this.registry, {
    name: 'madeleine_retention_deleted_entries_total',
    help: 'Entries of the log that this instance deleted by retention, by topic.',
    labelNames: ['context', 'topic'],
  });
  readonly retentionBytes = new NamedCounter(this.registry, {
    name: 'madeleine_retention_deleted_bytes_total',
    help: 'Bytes of payloads that this instance deleted by retention, by topic.',
    labelNames: ['context', 'topic'],
  });
  readonly retentionStopped = new AskedGauge(this.registry, {
    name: 'madeleine_retention_stopped',
    help: '1 while nothing is deleted on any instance, as the clock of the database leapt or nobody deleted for long.',
  });
  readonly retentionLag = new NamedGauge(this.registry, {
    name: 'madeleine_retention_lag_seconds',
    help: 'How long the oldest event is due that is still there, by topic, where this instance deletes.',
    labelNames: ['context', 'topic'],
  });
  readonly retentionHeld = new NamedGauge(this.registry, {
    name: 'madeleine_retention_held_seconds',
    help: 'How long the oldest event is due that a consumer holds, by topic and consumer, where this instance deletes.',
    labelNames: ['context', 'topic', 'consumer_context', 'consumer'],
  });
  /** Entries that this instance has archived and then deleted, and the bytes that these have in its files. */
  readonly archivedEntries = new NamedCounter(this.registry, {
    name: 'madeleine_archived_entries_total',
    help: 'Entries of the log that this instance wrote to archives before it deleted them, by topic.',
    labelNames: ['context', 'topic'],
  });
  readonly archivedBytes = new NamedCounter(this.registry, {
    name: 'madeleine_archived_bytes_total',
    help: 'Bytes of the files of archives that this instance wrote, by topic.',
    labelNames: ['context', 'topic'],
  });
  readonly archiveFailures = new Counter({
    name: 'madeleine_archive_failures_total',
    help: 'Times that this instance could not write to an archive.',
    registers: [this.registry],
  });
  readonly archiveHeld = new AskedGauge(this.registry, {
    name: 'madeleine_archive_held_topics',
    help: 'Topics of which nothing is deleted as their archive cannot be written, by whichever instance.',
  });
  readonly databaseUp = this.#gauge('madeleine_database_up', '1 while the database answers.', []);

  #counter<T extends string>(name: string, help: string, labelNames: T[]): Counter<T> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge<T extends string>(name: string, help: string, labelNames: T[]): Gauge<T> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}
