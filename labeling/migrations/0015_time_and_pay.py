"""What a rater's answers come to, in time too, is kept in their seat; a campaign says whether they
see it, and at which rate."""

from django.db import migrations, models
from django.db.models import Sum


def fill(apps, schema_editor):
    Label = apps.get_model("labeling", "Label")
    Seat = apps.get_model("labeling", "Seat")
    in_force = Label.objects.filter(kind="answer", superseded_by__isnull=True)
    spent = (
        in_force.order_by()
        .values_list("rater_id", "assignment__campaign_id")
        .annotate(spent=Sum("active_ms"))
    )
    for rater, campaign, active_ms in spent:
        rows = Seat.objects.filter(rater_id=rater, campaign_id=campaign)
        rows.update(active_ms=active_ms or 0)


class Migration(migrations.Migration):
    dependencies = [("labeling", "0014_suggested_answers")]
    operations = [
        migrations.AddField(
            model_name="campaign",
            name="shows_time",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="campaign",
            name="pay_per",
            field=models.CharField(
                blank=True,
                choices=[("label", "for each answer"), ("hour", "for each active hour")],
                max_length=5,
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="pay_amount",
            field=models.DecimalField(decimal_places=4, default=0, max_digits=10),
        ),
        migrations.AddField(
            model_name="campaign",
            name="pay_currency",
            field=models.CharField(blank=True, max_length=3),
        ),
        migrations.AddField(
            model_name="seat",
            name="active_ms",
            field=models.PositiveBigIntegerField(default=0),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
