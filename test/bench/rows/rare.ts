// A consumer of one event of very many, which lies at their end: by its topic, which has an index, and by its tag, which has none. The
// log is filled by SQL, as pushing it would take longer than all the rest.

import { numbers } from '../../support/database/numbers.js';
import { type CatchUp, catchUp } from '../catch-up.js';
import { type Figure, inTurns, type Row, type RowContext } from '../row.js';
import { type Stage, withClient } from '../stage.js';

const DATABASE = 'rare';
const CHUNK = 100_000;

export class RareRow implements Row {
  readonly figures: readonly [string, string];
  readonly #events: number;

  constructor(events: number) {
    this.#events = events;
    const one = `consumer of one event in ${events.toLocaleString('en-US')}`;
    this.figures = [`${one}, by its topic`, `${one}, by its tag`];
  }

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    await stage.clear();
    await stage.tables(DATABASE);
    await this.#fill(stage);
    const server = await stage.server('rare', { database: DATABASE });
    let consumers = 0;
    const perSecond = (selection: Pick<CatchUp, 'topics' | 'tag' | 'after'>) => {
      consumers += 1;
      const consumer = `rare-${consumers}`;
      return withClient(server, (client) => catchUp(client, { consumer, events: 1, ...selection }));
    };
    const topics = ['rare'];
    // What it takes to subscribe and to get one event, wherever that is.
    const isNext = { topics, after: this.#events - 1 };
    const byTopic = await inTurns(
      rounds,
      () => perSecond({ topics }),
      () => perSecond(isNext),
    );
    const byTag = await inTurns(
      rounds,
      async () => this.#events * (await perSecond({ tag: 'rare' })),
      () => this.#scanned(stage),
    );
    await stage.clear();
    const [topic, tag] = this.figures;
    return [
      {
        figure: topic,
        ...byTopic,
        limit: 'the same right before it',
        unit: 'starts/s',
        bounds: { must: 0.3, aim: 0.7 },
      },
      { figure: tag, ...byTag, limit: 'the database alone', unit: 'events/s', bounds: { must: 0.3, aim: 0.6 } },
    ];
  }

  /** Rows a second that the database passes over by itself. */
  async #scanned(stage: Stage): Promise<number> {
    const startedAt = performance.now();
    await stage.query(`SELECT position FROM ${DATABASE}.log FORCE INDEX (PRIMARY) WHERE tag = 'rare'`);
    return (this.#events / (performance.now() - startedAt)) * 1_000;
  }

  async #fill(stage: Stage): Promise<void> {
    const events = this.#events;
    await stage.query(`INSERT INTO ${DATABASE}.context (id, name) VALUES (1, 'default')`);
    await stage.query(`INSERT INTO ${DATABASE}.topic (id, context_id, name) VALUES (1, 1, 'common'), (2, 1, 'rare')`);
    for (let first = 1; first <= events; first += CHUNK) {
      const last = Math.min(events, first + CHUNK - 1);
      await stage.query(`INSERT INTO ${DATABASE}.log (position, kind, event_id, context_id, topic_id, message_id, created_at, version, subject,
          issuer, tag, payload_bytes, payload)
        SELECT seq, 1, seq, 1, IF(seq = ${events}, 2, 1), UNHEX(LPAD(HEX(seq), 32, '0')), seq, 1, 0, 'shop', IF(seq = ${events}, 'rare', NULL),
          200, REPEAT('x', 200) FROM ${numbers(first, last)} ORDER BY seq`);
    }
    // What looks at all of the log by itself has done so.
    await stage.query(`UPDATE ${DATABASE}.firing_cursor SET position = ${events}`);
    await stage.query(`UPDATE ${DATABASE}.count_cursor SET position = ${events}`);
    await stage.query(`UPDATE ${DATABASE}.log_head SET position = ${events}, next_event_id = ${events} + 1, next_context_id = 2,
      next_topic_id = 3, created_at = ${events}`);
  }
}
