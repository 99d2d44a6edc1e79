// Made by `sluice schema types` from departure-row.schema.json. Do not edit.
import { type Schema, schemaOf } from 'sluice';

/**
 * One row a flight that left New York, with its airline, its plane and the weather of the hour before.
 */
export interface DepartureRow {
/**
 * The event
 */
id: string
/**
 * IATA code of the airline
 */
carrier: string
/**
 * Flight number
 */
flight: number
/**
 * Registration of the plane
 */
tailnum: (string | null)
/**
 * IATA code of the airport
 */
origin: string
/**
 * IATA code of the airport
 */
dest: string
/**
 * Scheduled departure
 */
scheduled: string
/**
 * Actual departure
 */
departed: string
/**
 * Minutes; negative is early
 */
dep_delay_min: number
/**
 * Minutes; negative is early
 */
arr_delay_min: (number | null)
/**
 * Minutes
 */
air_time_min: (number | null)
/**
 * Miles
 */
distance_miles: number
/**
 * Name of the airline
 */
airline: (string | null)
/**
 * Who built the plane; null when it is not in the register
 */
plane_manufacturer: (string | null)
/**
 * Model of the plane
 */
plane_model: (string | null)
/**
 * Seats of the plane
 */
plane_seats: (number | null)
/**
 * Year in which the plane was built
 */
plane_year: (number | null)
/**
 * Time of the observation at the origin in the hour before the departure; null when there is none
 */
weather_observed: (string | null)
/**
 * Degrees Fahrenheit
 */
temp: (number | null)
/**
 * Miles an hour
 */
wind_speed: (number | null)
/**
 * Inches
 */
precip: (number | null)
/**
 * Visibility, miles
 */
visib: (number | null)
}

export const departureRow: Schema<DepartureRow> = schemaOf({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://sluice.example/flights/departure-row",
  "title": "DepartureRow",
  "description": "One row a flight that left New York, with its airline, its plane and the weather of the hour before.",
  "type": "object",
  "additionalProperties": false,
  "required": [
    "id",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "scheduled",
    "departed",
    "dep_delay_min",
    "arr_delay_min",
    "air_time_min",
    "distance_miles",
    "airline",
    "plane_manufacturer",
    "plane_model",
    "plane_seats",
    "plane_year",
    "weather_observed",
    "temp",
    "wind_speed",
    "precip",
    "visib"
  ],
  "properties": {
    "id": {
      "type": "string",
      "description": "The event"
    },
    "carrier": {
      "type": "string",
      "minLength": 1,
      "description": "IATA code of the airline"
    },
    "flight": {
      "type": "integer",
      "description": "Flight number"
    },
    "tailnum": {
      "type": [
        "string",
        "null"
      ],
      "description": "Registration of the plane"
    },
    "origin": {
      "type": "string",
      "minLength": 1,
      "description": "IATA code of the airport"
    },
    "dest": {
      "type": "string",
      "minLength": 1,
      "description": "IATA code of the airport"
    },
    "scheduled": {
      "type": "string",
      "format": "date-time",
      "description": "Scheduled departure"
    },
    "departed": {
      "type": "string",
      "format": "date-time",
      "description": "Actual departure"
    },
    "dep_delay_min": {
      "type": "integer",
      "description": "Minutes; negative is early"
    },
    "arr_delay_min": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Minutes; negative is early"
    },
    "air_time_min": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Minutes"
    },
    "distance_miles": {
      "type": "integer",
      "description": "Miles"
    },
    "airline": {
      "type": [
        "string",
        "null"
      ],
      "description": "Name of the airline"
    },
    "plane_manufacturer": {
      "type": [
        "string",
        "null"
      ],
      "description": "Who built the plane; null when it is not in the register"
    },
    "plane_model": {
      "type": [
        "string",
        "null"
      ],
      "description": "Model of the plane"
    },
    "plane_seats": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Seats of the plane"
    },
    "plane_year": {
      "type": [
        "integer",
        "null"
      ],
      "description": "Year in which the plane was built"
    },
    "weather_observed": {
      "type": [
        "string",
        "null"
      ],
      "format": "date-time",
      "description": "Time of the observation at the origin in the hour before the departure; null when there is none"
    },
    "temp": {
      "type": [
        "number",
        "null"
      ],
      "description": "Degrees Fahrenheit"
    },
    "wind_speed": {
      "type": [
        "number",
        "null"
      ],
      "description": "Miles an hour"
    },
    "precip": {
      "type": [
        "number",
        "null"
      ],
      "description": "Inches"
    },
    "visib": {
      "type": [
        "number",
        "null"
      ],
      "description": "Visibility, miles"
    }
  }
});
