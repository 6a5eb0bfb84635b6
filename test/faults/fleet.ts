import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '../helpers/client.ts';
import type { Start } from '../helpers/process.ts';
import type { Scope } from '../helpers/scope.ts';
import type { NodeUsers } from './node-users.ts';
import { AnswerLost, Refused } from './person.ts';
import { folderOf, Node } from './service.ts';

interface Member {
  readonly node: Node;
  /** The URL of the database as a user of its own. */
  readonly database: string;
  /** Of its last life: when it is over on the database server too. */
  death: Promise<void>;
}

/** `decided` resolves when what was asked for has been done or never will be. */
export interface Unanswered {
  readonly decided: Promise<void>;
}

/** Three nodes on one PostgreSQL database, some of them dead. */
export class Fleet {
  readonly all: readonly Member[];
  readonly #serving = new Set<Member>();
  readonly #users: NodeUsers;
  readonly #random: () => number;
  lost = 0;
  refused = 0;
  /** The longest that a death took to be over on the database server, in milliseconds. */
  noticed = 0;

  private constructor(all: readonly Member[], users: NodeUsers, random: () => number) {
    this.all = all;
    this.#users = users;
    this.#random = random;
  }

  static async start(scope: Scope, users: NodeUsers, start: Start, random: () => number): Promise<Fleet> {
    const folder = folderOf(scope);
    const all: Member[] = [];
    for (let n = 0; n < 3; n++) {
      const database = await users.add();
      all.push({ database, node: new Node(scope, folder, database, start), death: Promise.resolve() });
    }
    const fleet = new Fleet(all, users, random);
    for (const member of all) await fleet.restart(member);
    return fleet;
  }

  /** How many serve. */
  get size(): number {
    return this.#serving.size;
  }

  /** One that serves, as soon as there is one. */
  async any(): Promise<Member> {
    while (this.size === 0) await pause(5);
    return [...this.#serving][Math.floor(this.#random() * this.size)] ?? (await this.any());
  }

  /** Resolves when the death is over. */
  kill(member: Member): Promise<void> {
    this.#serving.delete(member);
    member.death = member.node.kill().then(async () => {
      const begun = performance.now();
      await this.#users.gone(member.database);
      this.noticed = Math.max(this.noticed, performance.now() - begun);
    });
    return member.death;
  }

  async restart(member: Member): Promise<void> {
    await member.node.start();
    this.#serving.add(member);
  }

  /** Some node that serves; undefined where it answered. */
  async ask(work: (client: Client) => Promise<void>): Promise<Unanswered | undefined> {
    const member = await this.any();
    try {
      await work(member.node.client);
      return undefined;
    } catch (error) {
      if (!(error instanceof AnswerLost)) throw error;
      if (error instanceof Refused) this.refused++;
      else this.lost++;
      return { decided: error instanceof Refused ? pause(longestStatement) : member.death };
    }
  }
}

/** Milliseconds after which nothing is under way of what a living node gave up: PostgreSQL waits for a lock for 1.5 s. */
const longestStatement = 3500;
