// Instants and durations as people tell them.

import { toSeconds, toTime } from './answers.ts'
import { type Sentence, say, terminalsOnly, toolsOnly } from './sentence.ts'

/** An instant in the person's own time zone, to the minute. */
export function localTime(time: string): string {
  const at = new Date(time)
  const [year, month, day, hour, minute] = [
    at.getFullYear(),
    at.getMonth() + 1,
    at.getDate(),
    at.getHours(),
    at.getMinutes(),
  ].map((part) => String(part).padStart(2, '0'))
  return `${year}-${month}-${day} ${hour}:${minute}`
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How long something takes, in two units at most. */
export function duration(seconds: number): Sentence {
  if (seconds < 2 * MINUTE) return say`${seconds} s`
  if (seconds < HOUR) return say`${Math.floor(seconds / MINUTE)} min`
  const minutes = Math.floor((seconds % HOUR) / MINUTE)
  if (seconds < DAY) return say`${Math.floor(seconds / HOUR)} h ${minutes} min`
  const hours = Math.floor((seconds % DAY) / HOUR)
  return seconds < 2 * DAY ? say`1 day ${hours} h` : say`${Math.floor(seconds / DAY)} days`
}

/** Until when something is good, and how long that still is; null where nothing is known. */
export function until(time: string | null, seconds: number | null): Sentence | null {
  if (time === null) return null
  if (seconds === null) return say`until ${localTime(time)}`
  return seconds > 0 ? say`until ${localTime(time)} (in ${duration(seconds)})` : say`ended ${localTime(time)}`
}

/** An instant in a sentence: a tool says it in UTC, a terminal in local time and how far off it is. */
export function moment(at: number, now: number | null = null): Sentence {
  const [time, left] = [toTime(at), now === null ? 0 : toSeconds(at - now)]
  const local = localTime(time)
  const told = left > 0 ? say`${local} (in ${duration(left)})` : say`${local}`
  return say`${toolsOnly(say`${time}`)}${terminalsOnly(told)}`
}
