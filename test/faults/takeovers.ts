import { setTimeout as pause } from 'node:timers/promises';
import { Client } from '../helpers/client.ts';
import type { Cluster } from './cluster.ts';
import type { Plan } from './experiment.ts';

/** Milliseconds for any answer, whatever is away, and for the first write when there is a primary again. */
const answeredWithin = 3000;
const recoveredWithin = 2000;

/** What happens to a cluster under a service, and how long that is felt. */
export class Takeovers {
  readonly cluster: Cluster;
  /** Of the service; it notes how long answers take. */
  readonly client: TimedClient;
  readonly #findings: string[];
  made = 0;
  #silent = 0;
  #isSilent = false;
  readonly #back = { 'a crash': 0, silence: 0, 'a standby': 0, 'a missed standby': 0 };
  #promotion = 0;

  constructor(cluster: Cluster, service: string, findings: string[]) {
    this.cluster = cluster;
    this.client = new TimedClient(service);
    this.#findings = findings;
  }

  get figures() {
    return {
      'primaries lost': this.made,
      'of them without a word': this.#silent,
      'promotion, slowest ms': Math.round(this.#promotion),
      ...Object.fromEntries(
        Object.entries(this.#back).map(([what, ms]) => [
          `writes again after ${what}, slowest ms`,
          Math.round(ms),
        ]),
      ),
      'any answer after, slowest ms': Math.round(this.client.slowest),
    };
  }

  /** On a busy machine a short run says nothing about the time of a single answer. */
  tooSlow({ scale }: Plan): string[] {
    const { slowest } = this.client;
    const late = Object.entries(this.#back).filter(([, ms]) => ms > recoveredWithin);
    return [
      ...late.map(([what, ms]) => `after ${what} it took ${ms} ms until a write was taken again`),
      ...(scale === 'full' && slowest > answeredWithin ? [`an answer took ${slowest} ms`] : []),
    ];
  }

  /**
   * The address leads to the standby, which takes no writes, and back. Nobody ends the connections that were made
   * meanwhile. `acknowledged`: how many writes have been.
   */
  async meetStandby(acknowledged: () => number): Promise<void> {
    this.cluster.lead('standby');
    this.cluster.address.cut();
    await this.#expectNone(acknowledged, 'a standby');
    await this.#expectAway('with a standby alone');
    this.cluster.lead('primary');
    await this.#recover('a standby', acknowledged);
  }

  /** The primary cannot hear its synchronous standby for a moment. */
  async missStandby(acknowledged: () => number): Promise<void> {
    this.cluster.part();
    await this.#expectNone(acknowledged, 'a primary without its standby');
    this.cluster.reunite();
    await this.#recover('a missed standby', acknowledged);
  }

  /** `silent`: who talks with the primary hears nothing more of it. */
  async crash(silent: boolean): Promise<void> {
    this.made++;
    this.#isSilent = silent;
    if (silent) this.#silent++;
    await this.cluster.crash(silent);
    await pause(300);
    await this.#expectAway('without a primary');
  }

  /** `acknowledged`: how many writes have been, where there is somebody who writes. */
  async takeOver(acknowledged?: () => number): Promise<void> {
    const begun = performance.now();
    await this.cluster.takeOver();
    this.#promotion = Math.max(this.#promotion, performance.now() - begun);
    await this.#recover(this.#isSilent ? 'silence' : 'a crash', acknowledged);
  }

  async #expectNone(acknowledged: () => number, server: string): Promise<void> {
    // What was under way is answered.
    await pause(100);
    const before = acknowledged();
    await pause(300);
    if (acknowledged() > before) this.#findings.push(`${server} acknowledged a write`);
  }

  async #expectAway(when: string): Promise<void> {
    const [live, ready] = await Promise.all([this.client.get('/health/live'), this.#isReady()]);
    if (live.status !== 200) this.#findings.push(`live was answered with ${live.status} ${when}`);
    if (ready) this.#findings.push(`the service said that it was ready ${when}`);
  }

  async #recover(
    from: 'a crash' | 'silence' | 'a standby' | 'a missed standby',
    acknowledged = () => Number.POSITIVE_INFINITY,
  ): Promise<void> {
    const begun = performance.now();
    const before = acknowledged();
    const isBack = async () => (await this.#isReady()) && (acknowledged() > before || before === Infinity);
    while (!(await isBack()) && performance.now() - begun < 2 * recoveredWithin) await pause(20);
    this.#back[from] = Math.max(this.#back[from], performance.now() - begun);
  }

  async #isReady(): Promise<boolean> {
    return (await this.client.get('/health/ready')).status === 200;
  }
}

class TimedClient extends Client {
  /** Milliseconds. */
  slowest = 0;

  override async request(...request: Parameters<Client['request']>) {
    const asked = performance.now();
    const answer = await super.request(...request);
    this.slowest = Math.max(this.slowest, performance.now() - asked);
    return answer;
  }
}
