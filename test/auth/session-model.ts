/** The rules of sessions, as plainly as they can be said. Times in milliseconds from the beginning. */

const second = 1000;
const day = 86_400 * second;

export const rules = {
  accessTtl: 900 * second,
  /** A token outlives its time by less than this. */
  leeway: 5 * second,
  idle: 14 * day,
  absolute: 30 * day,
  grace: 10 * second,
  maxSessions: 3,
};

export interface Person {
  readonly email: string;
  password: string;
}

/** One login. */
export interface Session {
  readonly id: string;
  readonly owner: Person;
  readonly absoluteEnd: number;
  idleEnd: number;
  ended: boolean;
  rotatedAt: number;
  /** All that it ever had; the last is the current one. */
  readonly refreshTokens: string[];
  readonly accessTokens: AccessToken[];
}

export interface AccessToken {
  readonly token: string;
  readonly issuedAt: number;
}

export interface Issued {
  readonly access_token: string;
  readonly refresh_token: string;
}

export class SessionModel {
  now = 0;
  readonly people: Person[] = [];
  readonly sessions: Session[] = [];

  isLive(session: Session): boolean {
    return !session.ended && this.now < session.idleEnd;
  }

  isInTime({ issuedAt }: AccessToken): boolean {
    // Tokens know whole seconds.
    const seconds = (time: number): number => Math.floor(time / second) * second;
    return seconds(this.now) < seconds(issuedAt) + rules.accessTtl + rules.leeway;
  }

  liveOf(owner: Person): Session[] {
    return this.sessions.filter(session => session.owner === owner && this.isLive(session));
  }

  login(id: string, owner: Person, issued: Issued): void {
    const surplus = this.liveOf(owner).length - rules.maxSessions + 1;
    for (const oldest of this.liveOf(owner).slice(0, Math.max(surplus, 0))) oldest.ended = true;
    const absoluteEnd = this.now + rules.absolute;
    this.sessions.push({
      id,
      owner,
      absoluteEnd,
      idleEnd: this.now + rules.idle,
      ended: false,
      rotatedAt: Number.NEGATIVE_INFINITY,
      refreshTokens: [issued.refresh_token],
      accessTokens: [{ token: issued.access_token, issuedAt: this.now }],
    });
  }

  /** What the use of a refresh token has to give. `age`: 0 is the current one, 1 the one before, and so on. */
  refresh(session: Session, age: number): 'a new one' | 'the current one' | 'nothing' {
    if (!this.isLive(session)) return 'nothing';
    if (age === 0) {
      session.rotatedAt = this.now;
      session.idleEnd = Math.min(this.now + rules.idle, session.absoluteEnd);
      return 'a new one';
    }
    if (age === 1 && this.now - session.rotatedAt <= rules.grace) return 'the current one';
    session.ended = true;
    return 'nothing';
  }

  endOthers(session: Session): void {
    for (const other of this.liveOf(session.owner)) if (other !== session) other.ended = true;
  }

  remove(person: Person): void {
    for (const session of this.liveOf(person)) session.ended = true;
    this.people.splice(this.people.indexOf(person), 1);
  }
}
