import '@angular/compiler'
import { Component, CUSTOM_ELEMENTS_SCHEMA, provideZonelessChangeDetection, signal } from '@angular/core'
import { bootstrapApplication } from '@angular/platform-browser'
import type { BursarEvent } from '../../src/angular.ts'

@Component({
  selector: 'app-course',
  schemas: [CUSTOM_ELEMENTS_SCHEMA],
  template: `<h1>Sourdough basics</h1>
    <bursar-checkout organization="harbour" [prices]="prices" (paymentSuccess)="paid($event)"></bursar-checkout>
    <p id="news">{{ news() }}</p>`,
})
class Course {
  readonly prices = ['price_1']
  readonly news = signal('')
  paid(event: BursarEvent): void {
    this.news.set(`Paid: ${event.detail.orderRef}`)
  }
}

void bootstrapApplication(Course, { providers: [provideZonelessChangeDetection()] })
